import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { nextEvent, soonMs, until } from '../../../../test/waits.ts';
import { fanfarePath } from '../../../cli/test/harness.ts';

const probe = fileURLToPath(new URL('probe.mjs', import.meta.url));

/** On a busy machine the start of a program alone takes seconds. */
const startMs = 60_000;

/** What the server's probe tells. */
export interface Probed {
  /** How long the event loop was held by one turn, at the most and in 999 of 1,000, since the time before. */
  readonly heldMaxMs: number;
  readonly heldP999Ms: number;
  readonly heapBytes: number;
  readonly bufferBytes: number;
  readonly rssBytes: number;
}

/** A real server in a process of its own, which can be asked how it does. Killed when the test ends. */
export class ProbedServer {
  readonly #process: ChildProcess;
  readonly #gone: Promise<void>;
  #leave = (): void => {};
  #url: string | undefined;
  output = '';

  private constructor(program: string, args: readonly string[]) {
    this.#process = fork(program, args, { execArgv: ['--expose-gc', '--import', probe], silent: true });
    this.#gone = new Promise<void>((resolve) => (this.#leave = resolve));
    this.#process.once('exit', () => this.#leave());
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    onTestFinished(() => void this.#process.kill('SIGKILL'));
  }

  /** Starts Fanfare on a free port. */
  static async fanfare(flags: readonly string[]): Promise<ProbedServer> {
    return ProbedServer.start(fanfarePath, ['serve', '--port', '0', ...flags]);
  }

  /** Starts a program that tells its URL. */
  static async start(program: string, args: readonly string[]): Promise<ProbedServer> {
    const server = new ProbedServer(program, args);
    const hasTold = (): boolean => {
      [server.#url] = /http:\/\/\S+/.exec(server.output) ?? [];
      if (server.#url === undefined && server.isGone) throw new Error(server.output);
      return server.#url !== undefined;
    };
    const step = async (): Promise<unknown> =>
      Promise.race([server.#gone, server.#process.stdout && once(server.#process.stdout, 'data')]);
    await until('the program tells its URL', hasTold, { step, soFar: () => server.output, ms: startMs });
    return server;
  }

  get url(): string {
    return this.#url ?? '';
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get isGone(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Undefined when it is gone. */
  async ask(): Promise<Probed | undefined> {
    if (this.isGone) return undefined;
    const told = nextEvent<Probed>(
      this.#process,
      'message',
      "the server's probe tells how it does",
      soonMs * 2,
    );
    this.#process.send('how are you?', () => {});
    return Promise.race([told, this.#gone.then(() => undefined)]);
  }

  /**
   * How long the event loop was held by an attack, at the least of five times: a collection of garbage is nobody's fault, and
   * others may use the processor's caches.
   *
   * @param enoughMs - when it was held for no longer, once is enough
   */
  async heldMs(attack: () => Promise<unknown>, enoughMs: number): Promise<number> {
    let least = Infinity;
    await this.ask();
    for (let run = 0; run < 5 && least > enoughMs; run++) {
      await attack();
      least = Math.min(least, (await this.ask())?.heldMaxMs ?? 0);
    }
    return least;
  }

  /** What it has logged as an error, if anything. */
  get failures(): readonly string[] {
    return this.output.split('\n').filter((line) => /"level":(?:50|60)|Error|Warning/.test(line));
  }
}
