import { sharedPieces, type PieceOf } from './frame-chain.ts';

/** A connection with frames to write. */
export interface Flushable {
  /** The number of bytes to write, before the kernel says how many it takes. */
  readonly dueBytes: number;
  /** Writes the frames. @returns the number of bytes that were written */
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
  /** The number of connections that have been flushed since the start. */
  #flushed = 0;
  /** The callers of `ready`, in the order of their numbers. */
  readonly #callers: { readonly flushed: number; readonly resolve: () => void }[] = [];

  /** MUST NOT be called again for the same connection before it was flushed. */
  add(connection: Flushable): void {
    this.#waiting.push(connection);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  /**
   * Resolves at once if one turn can write everything that is due. Otherwise resolves after everything that
   * is due now has been written. Frames that become due later are not waited for.
   */
  async ready(): Promise<void> {
    if (!this.#isMoreThanOneTurn()) return;
    const flushed = this.#flushed + this.#waiting.length;
    await new Promise<void>((resolve) => void this.#callers.push({ flushed, resolve }));
  }

  #isMoreThanOneTurn(): boolean {
    let bytes = 0;
    return this.#waiting.some(({ dueBytes }) => (bytes += dueBytes) > bytesPerTurnMax);
  }

  #run(): void {
    const pieceOf = sharedPieces();
    const waiting = this.#waiting;
    const flushesMax = Math.min(waiting.length, connectionsPerTurnMax);
    let flushed = 0;
    let bytes = 0;
    try {
      // Connections that are added meanwhile wait for another turn.
      while (flushed < flushesMax && bytes < bytesPerTurnMax)
        bytes += waiting[flushed++]?.flush(pieceOf) ?? 0;
    } finally {
      // If a callback of the app has thrown, the other connections are still flushed.
      this.#waiting = waiting.slice(flushed);
      this.#flushed += flushed;
      while (this.#callers[0] && this.#callers[0].flushed <= this.#flushed) this.#callers.shift()?.resolve();
      this.#isScheduled = this.#waiting.length > 0;
      if (this.#isScheduled) setImmediate(() => this.#run());
    }
  }
}
