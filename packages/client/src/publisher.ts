import type { PublishResult as WirePublishResult } from '@fanfare/protocol';
import { backoffMs } from './backoff.ts';
import type { Connection } from './connection.ts';
import { errorFrom, FanfareError, fieldsOf } from './errors.ts';

/**
 * The acknowledgement of a publish (PROTOCOL.md §4).
 *
 * @example
 * const { offset, stored }: PublishResult = await fanfare.publish('orders/7', { item: 'tea' });
 */
export interface PublishResult extends Omit<WirePublishResult, 'ok' | 'id'> {
  /** The publish id. The SDK makes one if the application gives none. */
  readonly id: string;
}

/**
 * Limits for publishes that wait for their acknowledgements.
 *
 * @example
 * const limits: PublishLimits = { publishesMax: 100, publishTimeoutMs: 30_000 };
 * const fanfare = connect(url, limits);
 */
export interface PublishLimits {
  /** Maximum number of waiting publishes. Beyond it, `publish` rejects with `queue_full`. */
  readonly publishesMax: number;
  /**
   * Timeout of a publish in milliseconds, after which it rejects with `not_answered`, or with the last
   * refusal of the server if the publish certainly did not happen. Must be shorter than the server's
   * `idWindowMs`.
   */
  readonly publishTimeoutMs: number;
}

/** Maximum number of characters of messages that wait for their acknowledgements. */
const charactersMax = 16_777_216;

/** Refusals after which the same publish can soon succeed. After `outcome_unknown`, it may have succeeded. */
const passing = new Set(['draining', 'storage_unavailable', 'outcome_unknown']);

/** Backoff after such a refusal. */
const retryMs = { first: 100, max: 5_000 };

interface Pending {
  readonly request: { readonly topic: string; readonly message: unknown; readonly id: string };
  readonly characters: number;
  readonly endsAt: number;
  readonly resolve: (result: PublishResult) => void;
  readonly reject: (error: Error) => void;
  /** Whether it is to be sent with the next retry. */
  isWaiting: boolean;
  /** How often it was sent so that it may have succeeded. */
  uncertain: number;
  /** The last refusal after which it is sent again. */
  refusal?: FanfareError;
}

/**
 * Publishes without acknowledgement, in order. They are all sent again on a new connection, and those that
 * the server refuses for now are sent again later. Meanwhile, new ones wait behind them.
 */
export class Publisher {
  readonly #connection: Connection;
  readonly #limits: PublishLimits;
  readonly #pending = new Set<Pending>();
  #characters = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** The number of retries since the last success. */
  #retries = 0;

  constructor(connection: Connection, limits: PublishLimits) {
    this.#connection = connection;
    this.#limits = limits;
  }

  /** Rejects with a {@link FanfareError}, or with a TypeError if the message is not a JSON value. */
  async publish(topic: string, message: unknown, id: string): Promise<PublishResult> {
    const text = JSON.stringify(message) as string | undefined;
    if (text === undefined) throw new TypeError('A message must be a JSON value.');
    const { publishesMax, publishTimeoutMs } = this.#limits;
    if (this.#pending.size >= publishesMax || this.#characters + text.length > charactersMax) {
      const detail = `The publish queue is full: ${this.#pending.size} publishes wait (limits: ${publishesMax}, and ${charactersMax} characters).`;
      throw new FanfareError('queue_full', detail, true);
    }
    return new Promise((resolve, reject) => {
      // A copy: a retry must send the same message, even if the application has changed the object.
      const request = { topic, message: JSON.parse(text) as unknown, id };
      const characters = text.length;
      const endsAt = Date.now() + publishTimeoutMs;
      const pending = { request, characters, endsAt, resolve, reject, isWaiting: true, uncertain: 0 };
      this.#pending.add(pending);
      this.#characters += characters;
      this.#timer ??= setTimeout(() => this.#giveUp(), publishTimeoutMs);
      if (this.#retry === undefined) this.#send(pending);
    });
  }

  sendAgain(): void {
    for (const pending of this.#pending) this.#send(pending);
  }

  close(error: FanfareError): void {
    for (const pending of this.#pending) this.#forget(pending).reject(error);
  }

  #send(pending: Pending): void {
    const { request, characters } = pending;
    const { packetBytesMax = Infinity } = this.#connection;
    // The server would close the connection for a larger packet, at every retry.
    if (
      characters > packetBytesMax ||
      (characters * 3 > packetBytesMax && bytesOf(request) > packetBytesMax)
    ) {
      const detail = `The message is larger than the server accepts (${packetBytesMax} bytes).`;
      this.#forget(pending).reject(new FanfareError('payload_too_large', detail, false));
      return;
    }
    pending.isWaiting = false;
    pending.uncertain++;
    this.#connection.request('publish', request, (answer) => this.#onAnswer(pending, answer));
  }

  #onAnswer(pending: Pending, answer: unknown): void {
    if (!this.#pending.has(pending)) return;
    const { ok, error } = fieldsOf(answer);
    if (ok === true) {
      this.#retries = 0;
      this.#forget(pending).resolve(answer as PublishResult);
      return;
    }
    const refusal = errorFrom(error);
    // After a publish that may have succeeded, a refusal such as `rate_limited` says nothing about it.
    if (!passing.has(refusal.code) && !(pending.refusal && refusal.retryable)) {
      this.#forget(pending).reject(refusal);
      return;
    }
    if (refusal.code !== 'outcome_unknown') pending.uncertain--;
    pending.refusal = refusal;
    pending.isWaiting = true;
    this.#retry ??= setTimeout(() => this.#sendWaiting(), backoffMs(retryMs, this.#retries++));
  }

  #sendWaiting(): void {
    this.#retry = undefined;
    for (const pending of this.#pending) if (pending.isWaiting) this.#send(pending);
  }

  #forget(pending: Pending): Pending {
    this.#pending.delete(pending);
    this.#characters -= pending.characters;
    if (this.#pending.size === 0) {
      clearTimeout(this.#timer);
      clearTimeout(this.#retry);
      this.#timer = this.#retry = undefined;
    }
    return pending;
  }

  /** Rejects publishes that have timed out. They time out in order. */
  #giveUp(): void {
    this.#timer = undefined;
    const { publishTimeoutMs } = this.#limits;
    const now = Date.now();
    for (const pending of this.#pending) {
      if (pending.endsAt > now) {
        this.#timer = setTimeout(() => this.#giveUp(), pending.endsAt - now);
        return;
      }
      const detail = `The publish was not acknowledged within ${publishTimeoutMs} ms. It may have succeeded: retry with the same id.`;
      const { refusal, uncertain } = this.#forget(pending);
      const isCertain = refusal && uncertain === 0;
      pending.reject(isCertain ? refusal : new FanfareError('not_answered', detail, true));
    }
  }
}

/** The size of a packet in bytes, including the framing of Socket.IO. */
function bytesOf(request: object): number {
  return new TextEncoder().encode(JSON.stringify(request)).length + 64;
}
