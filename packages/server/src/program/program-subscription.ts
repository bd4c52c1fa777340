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
 * Where to start: now, with the first message that is kept, with the newest or the newest N messages of each topic, after
 * an offset, or with the first message since a time (in milliseconds since 1970). PROTOCOL.md 3.3.
 */
export type From = FromInput;

/** Messages are missing. */
export interface Gap {
  /** The topic or pattern subscribed. */
  readonly topic: string;
  /** How many, if that is known. */
  readonly dropped?: number;
  /**
   * - `start`: messages after the offset that the subscription started from may be missing
   * - `dropped`: messages were dropped before the program took them
   */
  readonly reason: 'start' | 'dropped';
}

export interface SubscribeOptions {
  /** Where to start; now if not given. */
  readonly from?: From;
  /** Called when messages are missing, before the next message. */
  readonly onGap?: (gap: Gap) => unknown;
  /** With a callback: called when the subscription is refused or fails. Without `onError` the error is unhandled. */
  readonly onError?: (error: FanfareError) => unknown;
}

/**
 * A subscription of the program: envelopes, each once and in order. A program that reads slowly is served from the log at
 * its own pace. Iterate over it once: leaving the loop closes it. The loop ends when the subscription is closed, when the
 * server stops, and when an operator ends its connection. It throws a FanfareError when the subscription is refused or
 * fails.
 */
export interface Subscription extends AsyncIterable<Envelope> {
  /** The topic or pattern. */
  readonly topic: string;
  /** Resolves to where the subscription starts; rejects with a FanfareError when it is refused. */
  readonly ready: Promise<Subscribed>;
  /** Ends the subscription. Messages that were not handed out yet are dropped. */
  close(): void;
}

export class ProgramSubscription implements Subscription {
  readonly topic: string;
  readonly ready: Promise<Subscribed>;
  readonly #onGap: SubscribeOptions['onGap'];
  #peer: ProgramPeer | undefined;
  #isClosed = false;

  /** @param open - opens its connection; rejects when the server is not running */
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

  /** Undefined if the program has closed it. */
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

/** Calls back for one message after the other. The next call waits for the promise that the callback returned. */
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

/** A failing callback counts as an uncaught exception, like a failing listener of any other event. */
function throwUnhandled(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function errorOf(problemJson: string): FanfareError {
  const { code, detail } = JSON.parse(problemJson) as Problem;
  return new FanfareError(code, detail);
}
