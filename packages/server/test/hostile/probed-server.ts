import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { nextEvent, soonMs, until } from '../../../../test/waits.ts';
import { fanfarePath } from '../../../cli/test/harness.ts';

const probe = fileURLToPath(new URL('probe.mjs', import.meta.url));

/** On a busy machine the start of a program alone takes seconds. */
const startMs = 60_000;

/** The report of the server's probe. */
export interface Probed {
  /** The longest turn of the event loop since the last report, at most and in 999 of 1,000 cases. */
  readonly heldMaxMs: number;
  readonly heldP999Ms: number;
  readonly heapBytes: number;
  readonly bufferBytes: number;
  readonly rssBytes: number;
}

/** A real server in its own process, with a probe that reports its state. Killed when the test ends. */
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

  /** Starts a program that prints its URL. */
  static async start(program: string, args: readonly string[]): Promise<ProbedServer> {
    const server = new ProbedServer(program, args);
    const hasTold = (): boolean => {
      [server.#url] = /http:\/\/[^\s"]+/.exec(server.output) ?? [];
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

  /** Undefined if the server has ended. */
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

  /** Waits until its event loop takes a question. Unlike `ask`, this does not collect garbage. */
  async responds(): Promise<void> {
    if (this.isGone) return;
    const told = nextEvent(this.#process, 'message', "the server's probe answers", soonMs * 2);
    this.#process.send('are you there?', () => {});
    await Promise.race([told, this.#gone]);
  }

  /**
   * The time for which an attack blocked the event loop, as the minimum of five runs: garbage collection is
   * not the attack's fault, and other programs can use the processor's caches.
   *
   * @param enoughMs - a measurement of at most this time is not repeated
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

  /** The errors that it has logged. */
  get failures(): readonly string[] {
    return this.output.split('\n').filter((line) => /"level":(?:50|60)|Error|Warning/.test(line));
  }
}
