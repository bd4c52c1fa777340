/** A connection whose requests are parsed one at a time. */
export interface Reader {
  readonly state: ReaderState;
  /** Bytes that were read but not parsed. */
  readonly heldBytes: number;
  /** Continues with the bytes that the reader holds. */
  goOn(): void;
  /** Closes the connection. */
  cut(): void;
}

/** The state that {@link RequestScheduler} keeps for a connection. */
export class ReaderState {
  unanswered = 0;
  /** The last turn in which the connection took requests, and how many it took. */
  turn = -1;
  taken = 0;
  /** The last turn in which the scheduler served the connection. */
  served = -1;
}

export interface RequestSchedulerOptions {
  /**
   * Maximum number of requests of one connection in a turn of the event loop, while no other connection
   * waits.
   */
  readonly perTurnMax: number;
  /** The number of waiting connections that are served in a turn, with one request each. */
  readonly servedMax: number;
  /** Maximum number of unanswered requests of one connection. */
  readonly unansweredMax: number;
  /**
   * Maximum number of unanswered requests of all connections. Beyond it, each connection can have one at a
   * time.
   */
  readonly unansweredTotalMax: number;
  /** Maximum number of bytes of all connections that are read but not parsed. */
  readonly heldBytesMax: number;
}

/**
 * The maximum number of bytes that one connection can hold: one read, and another that Node makes before it
 * stops.
 */
const heldEachBytes = 131_072;

/**
 * Decides when the next request of a connection is parsed. A connection without pipelining never waits for
 * its turn. Connections with pipelining take turns with each other. Their unanswered requests and their held
 * bytes are limited.
 */
export class RequestScheduler {
  readonly #options: RequestSchedulerOptions;
  /** The connections that hold bytes. */
  readonly #held = new Set<Reader>();
  /** The connections that wait only for their turn, in the order in which they came. */
  readonly #queue = new Set<Reader>();
  #unanswered = 0;
  #turn = 0;
  #isEnding = false;

  constructor(options: RequestSchedulerOptions) {
    this.#options = options;
  }

  /**
   * Asks whether a request can be parsed now.
   *
   * @param hasMore - whether the connection has sent more than this request
   * @returns whether to parse it in this turn
   */
  take({ state }: Reader, hasMore: boolean): boolean {
    if (!hasMore && state.unanswered === 0) return true;
    if (this.#mustWaitForAnswer(state)) return false;
    const before = state.turn === this.#turn ? state.taken : 0;
    const isItsTurn =
      this.#queue.size === 0
        ? before < this.#options.perTurnMax
        : before === 0 && state.served === this.#turn;
    if (!isItsTurn) return false;
    state.taken = before + 1;
    state.turn = this.#turn;
    this.#endLater();
    return true;
  }

  /** A request was parsed, and its response is due. */
  begin({ state }: Reader): void {
    this.#unanswered++;
    state.unanswered++;
  }

  answered(reader: Reader): void {
    const { state } = reader;
    // The connection may be closed already.
    if (state.unanswered === 0) return;
    this.#unanswered--;
    state.unanswered--;
    if (this.#held.has(reader)) this.hold(reader);
  }

  /**
   * The connection holds bytes until its turn.
   *
   * @param isWithin - whether the bytes are the rest of a request, which does not wait for a response
   */
  hold(reader: Reader, isWithin = false): void {
    if (isWithin || !this.#mustWaitForAnswer(reader.state)) this.#queue.add(reader);
    this.keep(reader);
  }

  /** The connection holds bytes, and waits for something other than its turn. */
  keep(reader: Reader): void {
    this.#held.add(reader);
    this.#endLater();
  }

  /** The connection holds no more bytes. */
  release(reader: Reader): void {
    this.#held.delete(reader);
  }

  /** The connection is closed. */
  remove(reader: Reader): void {
    this.#unanswered -= reader.state.unanswered;
    reader.state.unanswered = 0;
    this.#held.delete(reader);
    this.#queue.delete(reader);
  }

  #mustWaitForAnswer({ unanswered }: ReaderState): boolean {
    const { unansweredMax, unansweredTotalMax } = this.#options;
    return unanswered > 0 && (unanswered >= unansweredMax || this.#unanswered >= unansweredTotalMax);
  }

  #endLater(): void {
    if (!this.#isEnding) setImmediate(() => this.#end());
    this.#isEnding = true;
  }

  #end(): void {
    this.#isEnding = false;
    this.#turn++;
    this.#cutLargest();
    let left = this.#options.servedMax;
    for (const reader of this.#queue) {
      if (left-- === 0) return this.#endLater();
      this.#queue.delete(reader);
      reader.state.served = this.#turn;
      reader.goOn();
    }
  }

  /** Closes the connections that hold the most bytes, until all together are within the limit. */
  #cutLargest(): void {
    const { heldBytesMax } = this.#options;
    if (this.#held.size * heldEachBytes <= heldBytesMax) return;
    const all = [...this.#held].map((reader) => ({ reader, bytes: reader.heldBytes }));
    let total = all.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total <= heldBytesMax) return;
    for (const { reader, bytes } of all.toSorted((one, other) => other.bytes - one.bytes)) {
      if (total <= heldBytesMax) return;
      total -= bytes;
      reader.cut();
    }
  }
}
