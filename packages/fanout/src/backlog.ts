/** A connection that does not take what is sent to it as fast as it comes. */
export interface Backlogged {
  /** Grows whenever it takes something. */
  readonly progress: number;
  /** Ends it. What waits for it is given up. */
  end(): void;
}

interface Entry {
  /** What waits for it alone. */
  ownBytes: number;
  /** All that waits for it. */
  waitingBytes: number;
  progress: number;
  /** How often in a row a look found that nothing had been taken. */
  looksWithoutProgress: number;
}

export interface BacklogOptions {
  readonly outboxTotalBytesMax: number;
  readonly stallTimeoutMs: number;
  /** What waits for several connections, counted once. */
  readonly sharedBytes: () => number;
}

const looksPerStall = 4;

/** Over it, Node's timers fire at once. */
const timerMsMax = 2_147_483_647;

/** All that waits for connections that do not keep up, counted, and a look now and then at who takes nothing. */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #entries = new Map<Backlogged, Entry>();
  #ownBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  /** All that waits; what waits for several counts once. */
  get bytes(): number {
    return this.#ownBytes + this.#options.sharedBytes();
  }

  hasRoom(bytes: number): boolean {
    return this.#lackingBytes(bytes) <= 0;
  }

  /** Makes room for a connection that keeps up, at the cost of those that do not: whoever has taken nothing for longest is ended. */
  makeRoom(bytes: number): void {
    let lacking = this.#lackingBytes(bytes);
    if (lacking <= 0) return;
    // The map has those first that fell behind first.
    const entries = [...this.#entries].toSorted(
      ([, a], [, b]) => b.looksWithoutProgress - a.looksWithoutProgress,
    );
    for (const [connection, { waitingBytes }] of entries) {
      if (lacking <= 0) return;
      lacking -= waitingBytes;
      connection.end();
    }
  }

  /**
   * Notes what waits for a connection now.
   *
   * @param ownBytes - what of it is not in `sharedBytes`
   */
  set(connection: Backlogged, waitingBytes: number, ownBytes: number): void {
    const entry = this.#entries.get(connection);
    this.#ownBytes += ownBytes - (entry?.ownBytes ?? 0);
    if (entry) Object.assign(entry, { waitingBytes, ownBytes });
    else this.#add(connection, waitingBytes, ownBytes);
  }

  #lackingBytes(bytes: number): number {
    return this.bytes + bytes - this.#options.outboxTotalBytesMax;
  }

  #add(connection: Backlogged, waitingBytes: number, ownBytes: number): void {
    const { progress } = connection;
    this.#entries.set(connection, { waitingBytes, ownBytes, progress, looksWithoutProgress: 0 });
    const lookIntervalMs = this.#options.stallTimeoutMs / looksPerStall;
    if (lookIntervalMs <= timerMsMax) this.#timer ??= setInterval(() => this.#look(), lookIntervalMs).unref();
  }

  /** Nothing waits for a connection any more. */
  delete(connection: Backlogged): void {
    this.#ownBytes -= this.#entries.get(connection)?.ownBytes ?? 0;
    if (!this.#entries.delete(connection) || this.#entries.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [connection, entry] of this.#entries) {
      const { progress } = connection;
      if (progress > entry.progress) entry.looksWithoutProgress = 0;
      else entry.looksWithoutProgress++;
      entry.progress = progress;
      if (entry.looksWithoutProgress >= looksPerStall) connection.end();
    }
  }
}
