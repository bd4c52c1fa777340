import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';

/** A file descriptor in reserve, for when connections have taken all others. */
export class SpareFileDescriptor {
  #descriptor: number | undefined;

  hold(): void {
    try {
      this.#descriptor ??= openSync(devNull, 'r');
    } catch {
      // There is none left, now.
    }
  }

  /** Runs what opens a file, and closes it again. In one turn: no connection can take the descriptor in between. */
  use<T>(run: () => T): T {
    this.release();
    try {
      return run();
    } finally {
      this.hold();
    }
  }

  release(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
