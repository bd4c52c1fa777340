import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitAtMost } from '../limits/timeout.ts';
import { DeliveryError, type Receiver } from './receiver.ts';
import { signedHeaders } from './signature.ts';

/** How many requests of one webhook are open at the same time. */
const requestsMax = 8;

/** The wait before the second attempt. It doubles with each further attempt. */
const backOffMs = { first: 500, max: 60_000 };

/** What is delivered to a receiver. */
export interface Delivery {
  readonly id: string;
  readonly topic: string;
  readonly encode: () => Buffer;
  readonly onDelivered: () => void;
}

/** The result of a failed attempt, for the operator. */
export interface Failure {
  /** In milliseconds since 1970. */
  readonly time: number;
  readonly reason: string;
}

export interface AttemptsParts {
  readonly receiver: Receiver;
  readonly secrets: readonly Buffer[];
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** Called after each attempt. */
  readonly onDelivered: () => void;
  readonly onFailure: (failure: Failure) => void;
  /**
   * The receiver has answered 410 (Gone): it does not exist any more. No further attempt is made.
   */
  readonly onGone: (failure: Failure) => void;
}

/** Makes attempts until a receiver accepts a delivery, with a bounded number of requests at a time. */
export class Attempts {
  readonly #parts: AttemptsParts;
  readonly #stop = new AbortController();
  #open = 0;
  #onIdle = (): void => {};
  readonly #waiting: (() => void)[] = [];
  /** The receiver wants no requests before this time of the monotonic clock. */
  #pausedUntil = 0;

  constructor(parts: AttemptsParts) {
    this.#parts = parts;
    // Each topic that waits listens to it. Node warns of more than ten.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Resolves to whether the receiver has accepted it. It has not if the attempts were stopped before. */
  async deliver(delivery: Delivery): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      await this.#begin();
      const isDelivered = !this.#isStopped && (await this.#attempt(delivery));
      this.#end();
      if (isDelivered) return true;
      if (this.#isStopped) return false;
      await this.#wait(waitMs(attempt));
    }
  }

  /** Begins no further attempt, and closes the connections. Open requests can end within the time. */
  async stop(graceMs: number): Promise<void> {
    this.#stop.abort();
    const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
    if (this.#open > 0) await waitAtMost(idle, graceMs);
    this.#parts.receiver.close();
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Waits for a place among the open requests. After a stop, the places are only handed on. */
  async #begin(): Promise<void> {
    if (this.#open >= requestsMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#open++;
    for (let ms = this.#pauseMs; ms > 0 && !this.#isStopped; ms = this.#pauseMs) await this.#wait(ms);
  }

  /** The next one takes the place, so the number of open requests stays the same. */
  #end(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else if (--this.#open === 0) this.#onIdle();
  }

  get #pauseMs(): number {
    return this.#pausedUntil - performance.now();
  }

  async #wait(ms: number): Promise<void> {
    const { signal } = this.#stop;
    await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
  }

  async #attempt({ id, encode }: Delivery): Promise<boolean> {
    const { receiver, secrets, now, onDelivered, onFailure, onGone } = this.#parts;
    try {
      const body = encode();
      const headers = signedHeaders(secrets, { id, body, timeMs: now() });
      const { status, retryAfterMs } = await receiver.post(headers, body);
      if (status >= 200 && status < 300) {
        onDelivered();
        return true;
      }
      const failure = { time: now(), reason: `status ${status}` };
      if (status === 410) {
        this.#stop.abort();
        onGone(failure);
      } else onFailure(failure);
      if (retryAfterMs !== undefined)
        this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + retryAfterMs);
    } catch (error) {
      const reason = error instanceof DeliveryError ? error.message : 'the request could not be made';
      onFailure({ time: now(), reason });
    }
    return false;
  }
}

/** Half of the wait is random, so that many deliveries do not come back at the same time. */
function waitMs(attempt: number): number {
  const ms = Math.min(backOffMs.first * 2 ** (attempt - 1), backOffMs.max);
  return (ms * (1 + Math.random())) / 2;
}

/** Delivers in order for each topic, and at the same time for different topics. */
export class Lanes {
  readonly #attempts: Attempts;
  readonly #lanes = new Map<string, Delivery[]>();

  constructor(attempts: Attempts) {
    this.#attempts = attempts;
  }

  add(delivery: Delivery): void {
    const { topic } = delivery;
    const lane = this.#lanes.get(topic);
    if (lane) lane.push(delivery);
    else {
      const begun = [delivery];
      this.#lanes.set(topic, begun);
      void this.#run(topic, begun);
    }
  }

  async #run(topic: string, lane: Delivery[]): Promise<void> {
    for (let next = lane[0]; next; next = lane[0]) {
      if (!(await this.#attempts.deliver(next))) return;
      lane.shift();
      if (lane.length === 0) this.#lanes.delete(topic);
      next.onDelivered();
    }
  }
}
