import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';

/** A spare file descriptor for the time when connections have used up all others. */
export class SpareFileDescriptor {
  #descriptor: number | undefined;

  hold(): void {
    try {
      this.#descriptor ??= openSync(devNull, 'r');
    } catch {
      // There is none left now.
    }
  }

  /**
   * Runs a function that opens and closes a file. It is synchronous, so that no connection can take the
   * descriptor.
   */
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
