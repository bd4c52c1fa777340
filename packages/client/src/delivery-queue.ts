import type { Envelope, Gap } from './envelope.ts';

/** What an application is to get or to be told, in this order. */
export type Delivery =
  | { readonly kind: 'message'; readonly envelope: Envelope }
  | { readonly kind: 'gap'; readonly gap: Gap }
  /** Nothing more is to come up to here. */
  | { readonly kind: 'offset'; readonly offset: string };

/** Enough for bursts. What is more waits at the server. */
const messagesMax = 8_192;
const charactersMax = 4_194_304;

/** What has come and was not asked for yet. */
export class DeliveryQueue {
  /** Those before `#first` were taken. */
  #deliveries: Delivery[] = [];
  #first = 0;
  #characters = 0;
  #sizes: number[] = [];
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
    return this.#deliveries.length - this.#first;
  }

  push(delivery: Delivery): void {
    if (this.#isEnded) return;
    const taker = this.#waiting.shift();
    if (taker) {
      taker.resolve(delivery);
      return;
    }
    const isFollowUp = delivery.kind === 'offset' && this.#length > 0;
    if (isFollowUp && this.#deliveries.at(-1)?.kind === 'offset') {
      this.#deliveries[this.#deliveries.length - 1] = delivery;
      return;
    }
    const size = delivery.kind === 'message' ? (JSON.stringify(delivery.envelope.message) ?? '').length : 0;
    this.#deliveries.push(delivery);
    this.#sizes.push(size);
    this.#characters += size;
  }

  /** The next one, as soon as there is one; undefined once there are no more. Rejects when it ended with an error. */
  async take(): Promise<Delivery | undefined> {
    const delivery = this.#deliveries[this.#first];
    if (delivery) {
      this.#characters -= this.#sizes[this.#first] ?? 0;
      this.#first++;
      if (this.#first * 2 > this.#deliveries.length) this.#forgetTaken();
      return delivery;
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
    if (!error) this.#deliveries = this.#sizes = [];
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error) reject(error);
      else resolve(undefined);
    }
  }

  #forgetTaken(): void {
    this.#deliveries = this.#deliveries.slice(this.#first);
    this.#sizes = this.#sizes.slice(this.#first);
    this.#first = 0;
  }
}
