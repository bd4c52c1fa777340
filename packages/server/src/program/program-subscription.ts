import {
  FanfareError,
  type Envelope,
  type FromInput,
  type GapEvent,
  type Problem,
  type Subscribed,
} from '@fanfare/protocol';
import type { ProgramPeer } from './program-peer.ts';

/** Where to start (PROTOCOL.md 3.3). */
export type From = FromInput;

/** Messages are missing. */
export interface Gap {
  /** The topic or pattern subscribed. */
  readonly topic: string;
  /** How many, where that is known. */
  readonly dropped?: number;
  /**
   * - `start`: it cannot be proved that all is there that came after the offset that the subscription began with
   * - `dropped`: what could not be kept until the program took it
   */
  readonly reason: 'start' | 'dropped';
}

export interface SubscribeOptions {
  /** Where to start; from now on when not given. */
  readonly from?: From;
  /** Called when messages are missing, before the next message is handed out. */
  readonly onGap?: (gap: Gap) => unknown;
  /** With a callback: called when the subscription is refused or ends with an error. Without it the error is unhandled. */
  readonly onError?: (error: FanfareError) => unknown;
}

/**
 * A subscription of the program, in envelopes, once each and in order. A program that reads slowly is served from the
 * log at its own pace. Iterate over it once: leaving the loop closes it. The loop ends when it was closed, when the server
 * stops, and when an operator ends its connection; it throws a FanfareError when the subscription is refused or fails.
 */
export interface Subscription extends AsyncIterable<Envelope> {
  /** The topic or pattern. */
  readonly topic: string;
  /** Resolves when it has begun, to where; rejects with a FanfareError when it is refused. */
  readonly ready: Promise<Subscribed>;
  /** Ends it. What came and was not handed out yet is dropped. */
  close(): void;
}

export class ProgramSubscription implements Subscription {
  readonly topic: string;
  readonly ready: Promise<Subscribed>;
  readonly #onGap: SubscribeOptions['onGap'];
  #peer: ProgramPeer | undefined;
  #isClosed = false;

  /** @param open - makes its connection; rejects when the server does not run */
  constructor(topic: string, { from, onGap }: SubscribeOptions, open: () => Promise<ProgramPeer>) {
    this.topic = topic;
    this.#onGap = onGap;
    this.ready = this.#begin(open, { topic, envelope: true, ...(from !== undefined && { from }) });
    // The loop throws it, too.
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

  /** Undefined when the program has closed it before. */
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

/** Calls back for one message after the other: the next one comes when what the callback returned has resolved. */
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

/** A handler of the program's that fails is as one of any other event that does. */
function throwUnhandled(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function errorOf(problemJson: string): FanfareError {
  const { code, detail } = JSON.parse(problemJson) as Problem;
  return new FanfareError(code, detail);
}
