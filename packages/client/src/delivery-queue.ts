import type { Envelope, Gap } from './envelope.ts';

/** What an application is to get or to be told, in this order. */
export type Delivery =
  | { readonly kind: 'message'; readonly envelope: Envelope }
  | { readonly kind: 'gap'; readonly gap: Gap }
  /** Nothing more is to come up to here. */
  | { readonly kind: 'offset'; readonly offset: string };

interface Entry {
  readonly delivery: Delivery;
  readonly characters: number;
}

/** Enough for bursts. What is more waits at the server. */
const messagesMax = 8_192;
const charactersMax = 4_194_304;

/** What has come and was not asked for yet. */
export class DeliveryQueue {
  /** Those before `#first` were taken. */
  #entries: Entry[] = [];
  #first = 0;
  #characters = 0;
  #isEnded = false;
  #error: Error | undefined;
  readonly #waiting: { resolve: (delivery: Delivery | undefined) => void; reject: (error: Error) => void }[] =
    [];

  /** Whether no more should come for now. */
  get isFull(): boolean {
    return this.#length >= messagesMax || this.#characters >= charactersMax;
  }

  /** Whether there is room again for much more than one. */
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
    // The later one says it all.
    if (delivery.kind === 'offset' && last?.delivery.kind === 'offset') this.#entries.pop();
    const characters = sizeOf(delivery);
    this.#entries.push({ delivery, characters });
    this.#characters += characters;
  }

  /** The next one, as soon as there is one; undefined once there are no more. Rejects when it ended with an error. */
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

  /** No more come. With an error, what is here can still be taken, and then it is thrown. */
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

/** Of a message as JSON; all else is next to nothing. */
function sizeOf(delivery: Delivery): number {
  return delivery.kind === 'message' ? (JSON.stringify(delivery.envelope.message) ?? '').length : 0;
}
