import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { soonMs, until, within } from '../../../../test/waits.ts';

const built = new URL('../../dist/log/store/', import.meta.url).href;

/** A separate process that runs a script as a module, with the built `src/log/store`. */
export class ScriptProcess {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  #onLine: () => void = () => {};

  /**
   * @param script - can use `openLmdbStore`, `thisMachine` and `anotherKernel`, which is the machine of a
   * process elsewhere; `args`, its arguments; and `say`, which prints a line
   */
  constructor(script: string, ...args: readonly string[]) {
    const module = `
      import { writeSync } from 'node:fs';
      import { openLmdbStore } from '${built}lmdb/lmdb-store.js';
      import { thisMachine } from '${built}ownership/process-liveness.js';
      const anotherKernel = () => {
        const machine = thisMachine();
        return { ...machine, self: { ...machine.self, kernel: 'another one', host: 'elsewhere' }, isAlive: () => undefined };
      };
      const args = process.argv.slice(1);
      const say = (line) => writeSync(1, line + '\\n');
      ${script}`;
    this.#process = spawn(process.execPath, ['--input-type=module', '-e', module, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    });
    let rest = '';
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#onLine();
    });
    this.#process.on('close', () => this.#onLine());
  }

  /** The next line of its output; undefined if it ends without one. */
  async line(): Promise<string | undefined> {
    const isThere = (): boolean => this.#lines.length > 0 || this.#hasEnded;
    await until('the process of the script prints its next line', isThere, {
      step: () => new Promise<void>((resolve) => (this.#onLine = resolve)),
      ms: 60_000,
    });
    return this.#lines.shift();
  }

  /** Resolves to its exit code or signal. */
  async end(): Promise<number | NodeJS.Signals | null> {
    if (!this.#hasEnded) await within(soonMs, 'the process of the script ends', once(this.#process, 'close'));
    return this.#process.signalCode ?? this.#process.exitCode;
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.end();
  }

  get #hasEnded(): boolean {
    return (
      this.#process.stdout?.closed === true && (this.#process.exitCode ?? this.#process.signalCode) !== null
    );
  }
}
