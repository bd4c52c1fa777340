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

/** Frames are held until this number of turns has brought no more of them. */
const quietTurns = 2;

/** The longest time for which frames are held, in milliseconds. */
const holdMsMax = 1;

/**
 * Flushes connections in the check phase of the event loop. A write costs more than all else, so frames are
 * held for some turns. Those that follow in these turns go out in the same write. After a number of
 * connections or bytes the schedule yields, so that the server keeps reading. Frames that are broadcast
 * meanwhile join the frames that still wait.
 */
export class FlushSchedule {
  readonly #now: () => number;
  #waiting: Flushable[] = [];
  #isScheduled = false;
  /** The number of turns since the last frame. */
  #quiet = 0;
  /** When the frames are written at the latest. */
  #heldUntilMs = 0;
  /** The number of connections that have been flushed since the start. */
  #flushed = 0;
  /** The callers of `ready`, in the order of their numbers. */
  readonly #callers: { readonly flushed: number; readonly resolve: () => void }[] = [];

  /** @param now - a clock in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A connection has a frame. MUST NOT be called again for the same connection before it was flushed. */
  add(connection: Flushable): void {
    this.#waiting.push(connection);
    this.#quiet = 0;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#heldUntilMs = this.#now() + holdMsMax;
    setImmediate(() => this.#hold());
  }

  /** A connection that was added before has one more frame. */
  extend(): void {
    this.#quiet = 0;
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

  #hold(): void {
    if (this.#quiet++ >= quietTurns || this.#now() >= this.#heldUntilMs) this.#run();
    else setImmediate(() => this.#hold());
  }

  /** What one turn cannot write is written in the next turns. It is not held again. */
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
