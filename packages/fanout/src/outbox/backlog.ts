/** A slow connection: its client reads more slowly than messages are sent. */
export interface Backlogged {
  /** A number that grows whenever the client reads something. */
  readonly progress: number;
  /** Ends the connection. The bytes that wait for it are dropped. */
  end(): void;
}

interface Entry {
  /** Bytes that wait for this connection alone. */
  ownBytes: number;
  /** All bytes that wait for this connection, including shared ones. */
  waitingBytes: number;
  progress: number;
  /** The number of consecutive checks that found no progress. */
  checksWithoutProgress: number;
}

export interface BacklogOptions {
  readonly outboxTotalBytesMax: number;
  readonly stallTimeoutMs: number;
  /** Bytes of frames that connections share, each frame counted once. */
  readonly sharedBytes: () => number;
}

const checksPerStall = 4;

/** The longest timer of Node, in milliseconds. A longer one fires at once. */
const timerMsMax = 2_147_483_647;

/**
 * Counts the bytes that wait for slow connections, and ends connections whose clients read nothing for the
 * stall timeout.
 */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #entries = new Map<Backlogged, Entry>();
  #ownBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  /** All bytes that wait. Bytes that wait for several connections count once. */
  get bytes(): number {
    return this.#ownBytes + this.#options.sharedBytes();
  }

  /** Whether more bytes stay within the limit for all connections. */
  fits(bytes: number): boolean {
    return this.#excessBytes(bytes) <= 0;
  }

  /**
   * Ends slow connections until the bytes fit. It begins with the client that has read nothing for longest.
   */
  evictFor(bytes: number): void {
    let excess = this.#excessBytes(bytes);
    if (excess <= 0) return;
    // The map has the connections in the order in which they became slow.
    const entries = [...this.#entries].toSorted(
      ([, a], [, b]) => b.checksWithoutProgress - a.checksWithoutProgress,
    );
    for (const [connection, { waitingBytes }] of entries) {
      if (excess <= 0) return;
      excess -= waitingBytes;
      connection.end();
    }
  }

  /**
   * Notes the number of bytes that wait for a slow connection now.
   *
   * @param ownBytes - the number of these bytes that are not part of `sharedBytes`
   */
  set(connection: Backlogged, waitingBytes: number, ownBytes: number): void {
    const entry = this.#entries.get(connection);
    this.#ownBytes += ownBytes - (entry?.ownBytes ?? 0);
    if (entry) Object.assign(entry, { waitingBytes, ownBytes });
    else this.#add(connection, waitingBytes, ownBytes);
  }

  #excessBytes(bytes: number): number {
    return this.bytes + bytes - this.#options.outboxTotalBytesMax;
  }

  #add(connection: Backlogged, waitingBytes: number, ownBytes: number): void {
    const { progress } = connection;
    this.#entries.set(connection, { waitingBytes, ownBytes, progress, checksWithoutProgress: 0 });
    if (!this.#timer) this.#checkLater();
  }

  /** The timeout is read for each check, because it can change. */
  #checkLater(): void {
    const waitMs = this.#options.stallTimeoutMs / checksPerStall;
    this.#timer = waitMs <= timerMsMax ? setTimeout(() => this.#check(), waitMs).unref() : undefined;
  }

  /** Removes a connection that is no longer slow, or has ended. */
  delete(connection: Backlogged): void {
    this.#ownBytes -= this.#entries.get(connection)?.ownBytes ?? 0;
    if (!this.#entries.delete(connection) || this.#entries.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    this.#checkLater();
    for (const [connection, entry] of this.#entries) {
      const { progress } = connection;
      if (progress > entry.progress) entry.checksWithoutProgress = 0;
      else entry.checksWithoutProgress++;
      entry.progress = progress;
      if (entry.checksWithoutProgress >= checksPerStall) connection.end();
    }
  }
}
