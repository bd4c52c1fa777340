/** A connection whose requests are parsed one after the other. */
export interface Reader {
  readonly state: ReaderState;
  /** Bytes that were read and not parsed. */
  readonly heldBytes: number;
  /** Parses what it holds. */
  goOn(): void;
  /** Ends the connection. */
  cut(): void;
}

/** What {@link RequestScheduler} knows of a connection. */
export class ReaderState {
  unanswered = 0;
  /** The turn in which it took requests last, and how many. */
  turn = -1;
  taken = 0;
  /** The turn that was its own last. */
  served = -1;
}

export interface RequestSchedulerOptions {
  /** Requests that one connection may have parsed in a turn of the event loop, as long as no other waits. */
  readonly perTurnMax: number;
  /** Connections that wait, of which each may have one request parsed in a turn. */
  readonly servedMax: number;
  /** Requests of one connection that are not answered. */
  readonly unansweredMax: number;
  /** Requests of all connections that are not answered. Over it, each connection may have one at a time. */
  readonly unansweredTotalMax: number;
  /** Bytes of all connections that were read and not parsed. */
  readonly heldBytesMax: number;
}

/** One connection holds no more than this: one read, and what Node reads before it stops. */
const heldEachBytes = 131_072;

/**
 * Decides when the next request of a connection is parsed. A connection that waits for each answer never waits for its turn.
 * Connections that pipeline take turns with each other. Their unanswered requests and the bytes that they hold are limited.
 */
export class RequestScheduler {
  readonly #options: RequestSchedulerOptions;
  /** The connections that hold bytes. */
  readonly #held = new Set<Reader>();
  /** Those of them that wait only for their turn, the longest first. */
  readonly #queue = new Set<Reader>();
  #unanswered = 0;
  #turn = 0;
  #isEnding = false;

  constructor(options: RequestSchedulerOptions) {
    this.#options = options;
  }

  /**
   * Asks to parse a request.
   *
   * @param hasMore - whether the connection has sent more than this request
   * @returns whether it may be parsed in this turn
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

  /** A request was parsed. */
  begin({ state }: Reader): void {
    this.#unanswered++;
    state.unanswered++;
  }

  answered(reader: Reader): void {
    const { state } = reader;
    // Its connection may be closed.
    if (state.unanswered === 0) return;
    this.#unanswered--;
    state.unanswered--;
    if (this.#held.has(reader)) this.hold(reader);
  }

  /**
   * The connection holds bytes until its turn.
   *
   * @param isWithin - whether they are the rest of a request, which does not have to wait for an answer
   */
  hold(reader: Reader, isWithin = false): void {
    if (isWithin || !this.#mustWaitForAnswer(reader.state)) this.#queue.add(reader);
    this.keep(reader);
  }

  /** The connection holds bytes, and waits for something else than its turn. */
  keep(reader: Reader): void {
    this.#held.add(reader);
    this.#endLater();
  }

  /** The connection holds nothing. */
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

  /** Ends the connections that hold the most while all together hold too much. */
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
