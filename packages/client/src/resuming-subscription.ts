import { backoffMs } from './backoff.ts';
import { DeliveryQueue } from './delivery-queue.ts';
import { readAcknowledgement, type Acknowledgement, type Envelope, type From, type Gap } from './envelope.ts';
import { errorFrom, fieldsOf, FanfareError, reportError } from './errors.ts';
import type { Position } from './position.ts';
import type { Subscription } from './subscription.ts';

/** What a subscription needs of its connection. */
export interface SubscriptionPort {
  /** Sends a command if the connection is up; the answer is never given when it ends first. */
  request(event: string, argument: object, onAnswer?: (answer: unknown) => void): void;
  /** The state has changed. */
  onChange(): void;
}

export interface ResumingSubscriptionOptions {
  readonly topic: string;
  readonly from: From | undefined;
  readonly position: Position;
  readonly onGap: ((gap: Gap) => unknown) | undefined;
}

type State = 'loading' | 'waiting' | 'catching_up' | 'live' | 'paused' | 'closed';

/** Refusals that pass by themselves. */
const passing = new Set(['draining', 'rate_limited', 'internal', 'storage_unavailable']);

const retryMs = { first: 500, max: 30_000 };

/**
 * One subscription: a position in the log that moves with what comes. It asks the server to go on from there on every
 * new connection, and when the application has taken what it was slow to take.
 */
export class ResumingSubscription implements Subscription {
  readonly topic: string;
  readonly ready: Promise<Acknowledgement>;
  readonly #options: ResumingSubscriptionOptions;
  readonly #port: SubscriptionPort;
  readonly #queue = new DeliveryQueue();
  #state: State = 'loading';
  /** Everything up to here has come. */
  #received: string | undefined;
  /** Whether the server has ever acknowledged it. */
  #wasTaken = false;
  /** Grows with each that the server is asked for; answers to earlier ones do not count. */
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
    // Whoever iterates is told all the same.
    promise.catch(() => {});
    const loading = options.position.load();
    // In this turn, so that what the application asks for next comes after it.
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

  /** Its connection is gone for good, or the server has ended it. */
  fail(error: FanfareError): void {
    if (this.#state === 'closed') return;
    this.#settle.reject(error);
    this.#end(error);
  }

  /** Asks the server for what comes next, if it can be taken. */
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

  /** A message that is for this one alone, out of the log; or that is for all that are live. */
  receive(envelope: Envelope, isReplay: boolean): void {
    if (isReplay ? !this.#isOn : this.#state !== 'live') return;
    this.#received = envelope.offset ?? this.#received;
    this.#queue.push({ kind: 'message', envelope });
    if (this.#queue.isFull) this.#pause();
  }

  /** A message from a server that speaks the lab contract alone, and need not even acknowledge. */
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

  /** The application has enough to do: the server keeps what comes next. */
  #pause(): void {
    this.#attempt++;
    this.#leave();
    this.#become('paused');
  }

  /** The server keeps what comes from now on. */
  #leave(): void {
    this.#port.request('unsubscribe', { topic: this.topic, envelope: true });
  }

  /** The next message. What else there is to be told on the way to it is told. */
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
