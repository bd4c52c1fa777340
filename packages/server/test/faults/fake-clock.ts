import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../../cli/test/harness.ts';

const libraries = '/usr/lib';
const name = 'faketime/libfaketimeMT.so.1';

/** The path of the library of Debian's package `faketime`; undefined if it is not installed. */
function findLibrary(): string | undefined {
  if (!existsSync(libraries)) return undefined;
  const folders = ['.', ...readdirSync(libraries).filter((folder) => folder.includes('linux-gnu'))];
  return folders.map((folder) => join(libraries, folder, name)).find((path) => existsSync(path));
}

const library = findLibrary();

/**
 * The wall clock of programs that run with its environment. It can be set while they run. Other clocks stay
 * correct.
 */
export class FakeClock {
  readonly #file = join(temporaryDirectory(), 'clock');

  constructor() {
    this.set(0);
  }

  static get missing(): string | undefined {
    return library === undefined ? 'faketime is not installed' : undefined;
  }

  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** @param seconds - by how much it is ahead */
  set(seconds: number): void {
    // In one step: half a number is read as another.
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '' : '+'}${seconds}`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
