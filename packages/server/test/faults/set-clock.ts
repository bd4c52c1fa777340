import { spawnSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../../cli/test/harness.ts';

const source = fileURLToPath(new URL('set-clock.c', import.meta.url));

/** The wall clock of a Redis that runs with its environment. It can be set while Redis runs. */
export class SetClock {
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  /** @param seconds - by how much it is ahead */
  constructor(seconds: number) {
    const directory = temporaryDirectory();
    const library = join(directory, 'set-clock.so');
    const flags = ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror'];
    const compiled = spawnSync('gcc', [...flags, '-o', library, source], { encoding: 'utf8' });
    if (compiled.status !== 0) throw new Error(`set-clock.c: ${compiled.stderr}`);
    this.#file = join(directory, 'clock');
    this.env = { LD_PRELOAD: library, SET_CLOCK_FILE: this.#file };
    this.set(seconds);
  }

  /** The reason why such a clock is not possible here. */
  static get missing(): string | undefined {
    return spawnSync('gcc', ['--version']).status === 0 ? undefined : 'gcc is not installed';
  }

  set(seconds: number): void {
    // In one step: half a number is read as another.
    writeFileSync(`${this.#file}.new`, String(seconds));
    renameSync(`${this.#file}.new`, this.#file);
  }
}
