import { sharedPieces, type PieceOf } from './chain.ts';

/** What is written when its turn comes. */
export interface Due {
  /** @returns how many bytes were written */
  flush(pieceOf: PieceOf): number;
}

/** A write of a small frame takes some 5 µs, so that this many hold up the event loop for 2 or 3 ms. */
const connectionsPerTurnMax = 512;

/** Large frames are bounded by what the kernel copies: 16 MiB in some 5 ms. */
const bytesPerTurnMax = 16 * 1_048_576;

/**
 * Writes to the connections that something is due to, in the check phase of the event loop: by then all that
 * arrived in the same turn has been published, and goes out in one write. After so many connections
 * it yields, so that the server goes on reading; what comes meanwhile joins what still waits.
 */
export class Turns {
  #due: Due[] = [];
  #isScheduled = false;

  /** MUST NOT be called again for the same connection before it was flushed. */
  add(due: Due): void {
    this.#due.push(due);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    const pieceOf = sharedPieces();
    const due = this.#due;
    const dueMax = Math.min(due.length, connectionsPerTurnMax);
    let flushed = 0;
    let bytes = 0;
    try {
      // What becomes due meanwhile is for another turn.
      while (flushed < dueMax && bytes < bytesPerTurnMax) bytes += due[flushed++]?.flush(pieceOf) ?? 0;
    } finally {
      // An app's callback may have thrown: the others have their turn all the same.
      this.#due = due.slice(flushed);
      this.#isScheduled = this.#due.length > 0;
      if (this.#isScheduled) setImmediate(() => this.#run());
    }
  }
}
