import { sharedPieces, type PieceOf } from './frame-chain.ts';

/** A connection with frames to write. */
export interface Flushable {
  /** Writes them. @returns how many bytes were written */
  flush(pieceOf: PieceOf): number;
}

/** One write of a small frame takes about 5 µs, so this many hold up the event loop for 2 to 3 ms. */
const connectionsPerTurnMax = 512;

/** The limit for large frames, which the kernel has to copy: 16 MiB in about 5 ms. */
const bytesPerTurnMax = 16 * 1_048_576;

/**
 * Flushes connections in the check phase of the event loop. By then everything that arrived in the same turn
 * has been published, and goes out in one write. After a number of connections or bytes the schedule yields,
 * so that the server keeps reading. Frames that are broadcast meanwhile join the frames that still wait.
 */
export class FlushSchedule {
  #waiting: Flushable[] = [];
  #isScheduled = false;

  /** MUST NOT be called again for the same connection before it was flushed. */
  add(connection: Flushable): void {
    this.#waiting.push(connection);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    const pieceOf = sharedPieces();
    const waiting = this.#waiting;
    const flushesMax = Math.min(waiting.length, connectionsPerTurnMax);
    let flushed = 0;
    let bytes = 0;
    try {
      // Connections that are added meanwhile are for another turn.
      while (flushed < flushesMax && bytes < bytesPerTurnMax)
        bytes += waiting[flushed++]?.flush(pieceOf) ?? 0;
    } finally {
      // A callback of the app may have thrown. The other connections are flushed all the same.
      this.#waiting = waiting.slice(flushed);
      this.#isScheduled = this.#waiting.length > 0;
      if (this.#isScheduled) setImmediate(() => this.#run());
    }
  }
}
