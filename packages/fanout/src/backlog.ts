/** A connection that does not take what is sent to it as fast as it comes. */
export interface Backlogged {
  /** How many bytes have left for good, of all that was ever due to it. Grows when it takes some. */
  readonly takenBytes: number;
  /** It has taken nothing for the stall limit. */
  stalled(): void;
}

interface Entry {
  waitingBytes: number;
  takenBytes: number;
  /** How often in a row a look found that nothing had been taken. */
  looksWithoutProgress: number;
}

const looksPerStall = 4;

/** All that waits for connections that do not keep up, counted, and a look now and then at who takes nothing. */
export class Backlog {
  readonly #outboxTotalBytesMax: number;
  readonly #lookIntervalMs: number;
  readonly #entries = new Map<Backlogged, Entry>();
  #totalBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { readonly outboxTotalBytesMax: number; readonly stallTimeoutMs: number }) {
    this.#outboxTotalBytesMax = options.outboxTotalBytesMax;
    this.#lookIntervalMs = options.stallTimeoutMs / looksPerStall;
  }

  hasRoom(bytes: number): boolean {
    return this.#totalBytes + bytes <= this.#outboxTotalBytesMax;
  }

  /** Notes how much waits for a connection now; with nothing it is forgotten. */
  set(connection: Backlogged, waitingBytes: number): void {
    const entry = this.#entries.get(connection);
    this.#totalBytes += waitingBytes - (entry?.waitingBytes ?? 0);
    if (waitingBytes === 0) this.#delete(connection);
    else if (entry) entry.waitingBytes = waitingBytes;
    else this.#add(connection, waitingBytes);
  }

  #add(connection: Backlogged, waitingBytes: number): void {
    const { takenBytes } = connection;
    this.#entries.set(connection, { waitingBytes, takenBytes, looksWithoutProgress: 0 });
    this.#timer ??= setInterval(() => this.#look(), this.#lookIntervalMs).unref();
  }

  #delete(connection: Backlogged): void {
    if (!this.#entries.delete(connection) || this.#entries.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [connection, entry] of this.#entries) {
      const { takenBytes } = connection;
      if (takenBytes > entry.takenBytes) entry.looksWithoutProgress = 0;
      else entry.looksWithoutProgress++;
      entry.takenBytes = takenBytes;
      if (entry.looksWithoutProgress >= looksPerStall) connection.stalled();
    }
  }
}
