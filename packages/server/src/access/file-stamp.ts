import { statSync } from 'node:fs';

/** The time between two checks of a file for changes, in milliseconds. */
export const lookMs = 1_000;

/** Notices changes of files. Make it before they are read, so that no change in between is missed. */
export class FileStamp {
  readonly #paths: readonly string[];
  #last: string;

  constructor(...paths: readonly string[]) {
    this.#paths = paths;
    this.#last = this.#now();
  }

  /** Whether a file has changed since the last call. */
  hasChanged(): boolean {
    const now = this.#now();
    const isSame = now === this.#last;
    this.#last = now;
    return !isSame;
  }

  #now(): string {
    return this.#paths.map(stampOf).join(' ');
  }
}

/** A text that changes when the file changes. */
function stampOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'none';
  }
}
