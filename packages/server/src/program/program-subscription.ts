import {
  FanfareError,
  type Envelope,
  type FromInput,
  type GapEvent,
  type Problem,
  type Subscribed,
} from '@fanfare/protocol';
import type { ProgramPeer } from './program-peer.ts';

/**
 * The start of a subscription (PROTOCOL.md 3.3):
 *
 * - `'new'`: new messages only
 * - `'earliest'`: the earliest stored message
 * - `'last'`, `{ last: N }`: the newest message, or the newest N messages, of each topic
 * - an offset: the first message after it
 * - `{ time }`: the first message at or after this time, in milliseconds since 1970
 */
export type From = FromInput;

/** Messages are missing. */
export interface Gap {
  /** The topic or pattern of the subscription. */
  readonly topic: string;
  /** The number of missing messages. Absent if it is not known. */
  readonly dropped?: number;
  /**
   * - `start`: messages after the offset at which the subscription started may be missing
   * - `dropped`: messages were dropped before the app took them
   */
  readonly reason: 'start' | 'dropped';
}

export interface SubscribeOptions {
  /** The start. By default, new messages only. */
  readonly from?: From;
  /**
   * Called before the next message if messages are missing. The next message waits for a promise that it
   * returns.
   */
  readonly onGap?: (gap: Gap) => unknown;
  /**
   * For subscriptions with a callback: called if the subscription is refused or fails. Without it, the error
   * is uncaught.
   */
  readonly onError?: (error: FanfareError) => unknown;
}

/**
 * A subscription of the app. It yields envelopes, each once and in the order of the log. A slow app is served
 * from the log at its own pace and loses nothing that is stored.
 *
 * Iterate over it only once: leaving the loop closes it. The loop ends when the subscription is closed, when
 * the server stops, or when an operator ends its connection. It throws a FanfareError if the subscription is
 * refused or fails.
 */
export interface Subscription extends AsyncIterable<Envelope> {
  /** The topic or pattern. */
  readonly topic: string;
  /**
   * Resolves to the start of the subscription. Rejects with a FanfareError if the subscription is refused.
   */
  readonly ready: Promise<Subscribed>;
  /** Ends the subscription. Messages that the app has not taken yet are dropped. */
  close(): void;
}

export class ProgramSubscription implements Subscription {
  readonly topic: string;
  readonly ready: Promise<Subscribed>;
  readonly #onGap: SubscribeOptions['onGap'];
  #peer: ProgramPeer | undefined;
  #isClosed = false;

  /** @param open - opens the connection of the subscription; rejects if the server does not run */
  constructor(topic: string, { from, onGap }: SubscribeOptions, open: () => Promise<ProgramPeer>) {
    this.topic = topic;
    this.#onGap = onGap;
    this.ready = this.#begin(open, { topic, envelope: true, ...(from !== undefined && { from }) });
    // The loop throws the same error.
    this.ready.catch(() => {});
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Envelope, void, undefined> {
    try {
      const begun = await this.#begun();
      if (begun?.recovered === false) await this.#onGap?.({ topic: this.topic, reason: 'start' });
      while (!this.#isClosed) {
        const event = await this.#peer?.take();
        if (!event) return;
        const { name, argumentJson } = event;
        if (name === 'message') yield JSON.parse(argumentJson) as Envelope;
        else if (name === 'gap') await this.#tellGap(argumentJson);
        else if (name === 'error') throw errorOf(argumentJson);
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#peer?.end();
  }

  async #begin(open: () => Promise<ProgramPeer>, request: object): Promise<Subscribed> {
    const peer = await open();
    this.#peer = peer;
    try {
      if (this.#isClosed) throw new FanfareError('bad_request', 'The subscription is closed.');
      return await peer.connection.subscribe(request);
    } catch (error) {
      peer.end();
      throw error;
    }
  }

  /** Waits for the start. Undefined if the app has closed the subscription meanwhile. */
  async #begun(): Promise<Subscribed | undefined> {
    try {
      return await this.ready;
    } catch (error) {
      if (this.#isClosed) return undefined;
      throw error;
    }
  }

  async #tellGap(argumentJson: string): Promise<void> {
    const { topic, dropped } = JSON.parse(argumentJson) as GapEvent;
    await this.#onGap?.({ topic, ...(dropped !== undefined && { dropped }), reason: 'dropped' });
  }
}

/** Calls the callback for each message. The next call waits for the promise that the callback returned. */
export async function consume(
  subscription: Subscription,
  callback: (envelope: Envelope) => unknown,
  onError: (error: FanfareError) => unknown = throwUnhandled,
): Promise<void> {
  try {
    for await (const envelope of subscription) {
      try {
        await callback(envelope);
      } catch (error) {
        throwUnhandled(error);
      }
    }
  } catch (error) {
    onError(error as FanfareError);
  }
}

/** Throws an error of a callback as an uncaught exception, as Node does for listeners of other events. */
function throwUnhandled(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function errorOf(problemJson: string): FanfareError {
  const { code, detail } = JSON.parse(problemJson) as Problem;
  return new FanfareError(code, detail);
}
