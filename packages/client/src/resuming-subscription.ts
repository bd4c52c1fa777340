import { backoffMs } from './backoff.ts';
import { DeliveryQueue } from './delivery-queue.ts';
import { readAcknowledgement, type Acknowledgement, type Envelope, type From, type Gap } from './envelope.ts';
import { errorFrom, fieldsOf, FanfareError, reportError } from './errors.ts';
import type { Position } from './position.ts';
import type { Subscription } from './subscription.ts';

/** The interface of a subscription to its connection. */
export interface SubscriptionPort {
  /** Sends a command if the connection is up. `onAnswer` is never called if the connection is lost first. */
  request(event: string, argument: object, onAnswer?: (answer: unknown) => void): void;
  /** The state of the subscription has changed. */
  onChange(): void;
}

export interface ResumingSubscriptionOptions {
  readonly topic: string;
  readonly from: From | undefined;
  readonly position: Position;
  readonly onGap: ((gap: Gap) => unknown) | undefined;
}

type State = 'loading' | 'waiting' | 'catching_up' | 'live' | 'paused' | 'closed';

/** Codes of refusals that are temporary, so that a retry makes sense. */
const passing = new Set(['draining', 'rate_limited', 'internal', 'storage_unavailable']);

const retryMs = { first: 500, max: 30_000 };

/**
 * A subscription: a position in the log that moves with each message. It resumes from there on every new
 * connection, and after a pause, when a slow application has caught up.
 */
export class ResumingSubscription implements Subscription {
  readonly topic: string;
  readonly ready: Promise<Acknowledgement>;
  readonly #options: ResumingSubscriptionOptions;
  readonly #port: SubscriptionPort;
  readonly #queue = new DeliveryQueue();
  #state: State = 'loading';
  /** The position up to which everything has been received. */
  #received: string | undefined;
  /** Whether the server has ever acknowledged the subscription. */
  #wasTaken = false;
  /** The number of subscribe requests. Acknowledgements of earlier requests are ignored. */
  #attempt = 0;
  #refusals = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly #settle: { resolve: (ack: Acknowledgement) => void; reject: (error: Error) => void };

  constructor(options: ResumingSubscriptionOptions, port: SubscriptionPort) {
    this.#options = options;
    this.#port = port;
    this.topic = options.topic;
    const { promise, ...settle } = withResolvers<Acknowledgement>();
    this.ready = promise;
    this.#settle = settle;
    // The iteration rejects too, so a rejection of `ready` need not be handled.
    promise.catch(() => {});
    const loading = options.position.load();
    // In this turn, so that later requests of the application follow this one.
    if (loading) void this.#load(loading);
    else this.#start();
  }

  get state(): Subscription['state'] {
    if (this.#state === 'paused') return 'catching_up';
    return this.#state === 'loading' ? 'waiting' : this.#state;
  }

  get offset(): string | undefined {
    return this.#options.position.offset;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Envelope, void, undefined> {
    try {
      for (let envelope = await this.#take(); envelope; envelope = await this.#take()) {
        yield envelope;
        if (envelope.offset !== undefined) await this.#options.position.move(envelope.offset);
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#leave();
    this.#settle.reject(new FanfareError('closed', 'The subscription was closed.', false));
    this.#end();
  }

  /** Ends the subscription: the connection is closed for good, or the server has ended the subscription. */
  fail(error: FanfareError): void {
    if (this.#state === 'closed') return;
    this.#settle.reject(error);
    this.#end(error);
  }

  /** Subscribes at the current position, unless the subscription is paused or closed. */
  begin(): void {
    if (this.#state !== 'waiting') return;
    const { topic } = this;
    const attempt = ++this.#attempt;
    const from = this.#received ?? this.#options.from;
    const request = { topic, envelope: true, ...(from !== undefined && { from }) };
    this.#port.request('subscribe', request, (answer) => {
      if (attempt === this.#attempt) this.#onAnswer(answer);
    });
  }

  /** The connection is lost. */
  interrupt(): void {
    this.#attempt++;
    clearTimeout(this.#retry);
    if (this.#isOn) this.#become('waiting');
  }

  /** Takes a message: a replay from the log for this subscription only, or a live message. */
  receive(envelope: Envelope, isReplay: boolean): void {
    if (isReplay ? !this.#isOn : this.#state !== 'live') return;
    this.#received = envelope.offset ?? this.#received;
    this.#queue.push({ kind: 'message', envelope });
    if (this.#queue.isFull) this.#pause();
  }

  /** Takes a message from a server that only implements the lab contract, and may not even acknowledge. */
  receivePlain(message: unknown): void {
    if (this.#state === 'waiting') this.#onAnswer(undefined);
    this.receive({ topic: this.topic, message, time: Date.now() }, false);
  }

  onState(isLive: boolean, offset: string): void {
    if (!this.#isOn) return;
    this.#moveTo(offset);
    this.#become(isLive ? 'live' : 'catching_up');
  }

  onGap(dropped: number | undefined): void {
    if (this.#isOn) this.#miss('dropped', dropped);
  }

  get #isOn(): boolean {
    return this.#state === 'live' || this.#state === 'catching_up';
  }

  async #load(loading: Promise<void>): Promise<void> {
    try {
      await loading;
    } catch (error) {
      this.fail(new FanfareError('internal', 'The position could not be read.', false, { cause: error }));
    }
    if (this.#state === 'loading') this.#start();
  }

  #start(): void {
    this.#received = this.#options.position.offset;
    this.#state = 'waiting';
    this.begin();
  }

  #onAnswer(answer: unknown): void {
    const { ok, error } = fieldsOf(answer);
    if (ok === false) this.#onRefused(errorFrom(error));
    else this.#onBegun(readAcknowledgement(answer));
  }

  #onBegun(acknowledgement: Acknowledgement): void {
    const { offset, isLive, recovered = offset !== undefined || !this.#wasTaken } = acknowledgement;
    if (!recovered) this.#miss(this.#wasTaken ? 'resume' : 'start');
    if (offset !== undefined) this.#moveTo(offset);
    this.#wasTaken = true;
    this.#refusals = 0;
    this.#settle.resolve(acknowledgement);
    this.#become(isLive ? 'live' : 'catching_up');
  }

  #onRefused(error: FanfareError): void {
    const passes = passing.has(error.code) || (this.#wasTaken && error.retryable);
    if (!passes) {
      this.fail(error);
      return;
    }
    this.#retry = setTimeout(() => this.begin(), backoffMs(retryMs, this.#refusals++));
  }

  #miss(reason: Gap['reason'], dropped?: number): void {
    const gap = { topic: this.topic, ...(dropped !== undefined && { dropped }), reason };
    this.#queue.push({ kind: 'gap', gap });
  }

  #moveTo(offset: string): void {
    this.#received = offset;
    this.#queue.push({ kind: 'offset', offset });
  }

  /** Pauses because the application is slow. Further messages stay in the log of the server. */
  #pause(): void {
    this.#attempt++;
    this.#leave();
    this.#become('paused');
  }

  /** Unsubscribes, so that further messages stay in the log of the server. */
  #leave(): void {
    this.#port.request('unsubscribe', { topic: this.topic, envelope: true });
  }

  /** Takes the next message. Before it, moves the position and reports gaps. */
  async #take(): Promise<Envelope | undefined> {
    for (;;) {
      const delivery = await this.#queue.take();
      if (this.#state === 'paused' && this.#queue.isLow) {
        this.#become('waiting');
        this.begin();
      }
      if (!delivery) return undefined;
      switch (delivery.kind) {
        case 'message':
          return delivery.envelope;
        case 'offset':
          await this.#options.position.move(delivery.offset);
          break;
        case 'gap':
          try {
            await this.#options.onGap?.(delivery.gap);
          } catch (error) {
            reportError(error);
          }
      }
    }
  }

  #become(state: State): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#port.onChange();
  }

  #end(error?: FanfareError): void {
    clearTimeout(this.#retry);
    this.#queue.end(error);
    this.#become('closed');
  }
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((whenDone, whenFailed) => {
    resolve = whenDone;
    reject = whenFailed;
  });
  return { promise, resolve, reject };
}
