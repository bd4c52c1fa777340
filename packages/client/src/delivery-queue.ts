import type { Envelope, Gap } from './envelope.ts';

/** An item for the application. Items are handed out in order. */
export type Delivery =
  | { readonly kind: 'message'; readonly envelope: Envelope }
  | { readonly kind: 'gap'; readonly gap: Gap }
  /** The position moves to this offset: no more messages before it will follow. */
  | { readonly kind: 'offset'; readonly offset: string };

interface Entry {
  readonly delivery: Delivery;
  readonly characters: number;
}

/** Large enough for bursts. Beyond it, messages wait on the server. */
const messagesMax = 8_192;
const charactersMax = 4_194_304;

/** Items that have been received, but not yet taken by the application. */
export class DeliveryQueue {
  /** Entries before `#first` have been taken. */
  #entries: Entry[] = [];
  #first = 0;
  #characters = 0;
  #isEnded = false;
  #error: Error | undefined;
  readonly #waiting: { resolve: (delivery: Delivery | undefined) => void; reject: (error: Error) => void }[] =
    [];

  /** Whether the subscription should pause. */
  get isFull(): boolean {
    return this.#length >= messagesMax || this.#characters >= charactersMax;
  }

  /** Whether a paused subscription should resume. */
  get isLow(): boolean {
    return this.#length <= messagesMax / 4 && this.#characters <= charactersMax / 4;
  }

  get #length(): number {
    return this.#entries.length - this.#first;
  }

  push(delivery: Delivery): void {
    if (this.#isEnded) return;
    const taker = this.#waiting.shift();
    if (taker) {
      taker.resolve(delivery);
      return;
    }
    const last = this.#length > 0 ? this.#entries.at(-1) : undefined;
    // The later offset replaces the earlier one.
    if (delivery.kind === 'offset' && last?.delivery.kind === 'offset') this.#entries.pop();
    const characters = sizeOf(delivery);
    this.#entries.push({ delivery, characters });
    this.#characters += characters;
  }

  /**
   * Takes the next item, waiting for it if necessary. Undefined at the end; rejects if the queue ended with
   * an error.
   */
  async take(): Promise<Delivery | undefined> {
    const entry = this.#entries[this.#first];
    if (entry) {
      this.#characters -= entry.characters;
      this.#first++;
      if (this.#first * 2 > this.#entries.length) this.#forgetTaken();
      return entry.delivery;
    }
    if (this.#error) throw this.#error;
    if (this.#isEnded) return undefined;
    return new Promise((resolve, reject) => void this.#waiting.push({ resolve, reject }));
  }

  /** Ends the queue. With an error, the items in it can still be taken, and then the error is thrown. */
  end(error?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    if (!error) this.#entries = [];
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error) reject(error);
      else resolve(undefined);
    }
  }

  #forgetTaken(): void {
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }
}

/** The size of a delivery: the length of its message as JSON. Everything else is negligible. */
function sizeOf(delivery: Delivery): number {
  return delivery.kind === 'message' ? (JSON.stringify(delivery.envelope.message) ?? '').length : 0;
}
