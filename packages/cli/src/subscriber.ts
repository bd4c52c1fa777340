import {
  connect,
  FanfareError,
  type Acknowledgement,
  type Envelope,
  type Fanfare,
  type Gap,
  type Status,
  type Subscription,
} from '@fanfare/client';
import { matches, type Interest, type Topic } from '@fanfare/protocol';
import type { StartPosition } from './start-position.ts';
import type { Target } from './server-target.ts';
import { explainFailedConnection } from './connection-errors.ts';

/** A message that came. What only Fanfare tells is absent when another server delivered it. */
export type Delivery = Pick<Envelope, 'topic' | 'message'> & Partial<Envelope>;

export interface SubscriberListener {
  /** The next message comes when what it returns has resolved. */
  onDelivery(delivery: Delivery): unknown;
  /** A sentence for people: the connection is lost, or back, or messages are missing. */
  onNotice(notice: string): void;
  /** The server has ended a subscription, or does not take it back after a reconnect. */
  onRefused(topic: string, reason: string): void;
}

/** What became of a request. It is `pending` while the connection is lost, and done when that is back. */
export type Outcome =
  { readonly kind: 'done' | 'pending' } | { readonly kind: 'refused'; readonly reason: string };

/**
 * A server that speaks the lab contract need not acknowledge; after this time it is taken to have subscribed.
 */
const ackTimeoutMs = 3_000;

/** Subscriptions on any server that speaks the lab contract, with what people are told about them. */
export class Subscriber {
  readonly #fanfare: Fanfare;
  readonly #target: Target;
  readonly #listener: SubscriberListener;
  readonly #subscriptions = new Map<string, Subscription>();
  #wasLost = false;

  /** @throws CommandError `unreachable`, with the reason as a sentence */
  static async connect(target: Target, listener: SubscriberListener): Promise<Subscriber> {
    const { name, token, ca } = target;
    const fanfare = connect(name, { ...(token !== undefined && { token }), ...(ca && { ca: [...ca] }) });
    const { error } = await new Promise<Status>((resolve) => void fanfare.onStatus(resolve));
    if (!error) return new Subscriber(fanfare, target, listener);
    fanfare.close();
    // The server's own word, and not that of a network.
    throw await explainFailedConnection(
      target,
      error.message,
      error instanceof FanfareError ? error.code : undefined,
    );
  }

  private constructor(fanfare: Fanfare, target: Target, listener: SubscriberListener) {
    this.#fanfare = fanfare;
    this.#target = target;
    this.#listener = listener;
    fanfare.onStatus((status) => this.#onStatus(status));
  }

  get topics(): readonly string[] {
    return [...this.#subscriptions.keys()];
  }

  /** @param from - where to start, if the server keeps messages */
  async subscribe(topic: string, from?: StartPosition['from']): Promise<Outcome> {
    const known = this.#subscriptions.get(topic);
    const subscription = known ?? this.#open(topic, from);
    const { state } = this.#fanfare.status;
    if (state !== 'live' && state !== 'catching_up') return { kind: 'pending' };
    try {
      const acknowledgement = await Promise.race([subscription.ready, timeout()]);
      if (acknowledgement && !known) this.#tellOfStart(topic, from, acknowledgement);
      return { kind: 'done' };
    } catch (error) {
      return { kind: 'refused', reason: (error as FanfareError).message };
    }
  }

  unsubscribe(topic: string): Outcome {
    this.#subscriptions.get(topic)?.close();
    this.#subscriptions.delete(topic);
    const { state } = this.#fanfare.status;
    return { kind: state === 'lost' ? 'pending' : 'done' };
  }

  close(): void {
    this.#fanfare.close();
  }

  #open(topic: string, from: StartPosition['from'] | undefined): Subscription {
    const options = {
      ...(from !== undefined && { from }),
      onGap: (gap: Gap) => this.#onGap(gap),
      onError: (error: FanfareError) => void this.#onError(topic, subscription, error),
    };
    const subscription: Subscription = this.#fanfare.subscribe(topic, options, (envelope) => {
      // What several subscriptions match comes once to each of them.
      const first = this.topics.find((one) => matches(one as Interest, envelope.topic as Topic));
      if (first !== topic) return undefined;
      const { message } = envelope;
      const isStamped = subscription.offset !== undefined;
      return this.#listener.onDelivery(isStamped ? envelope : { topic: envelope.topic, message });
    });
    this.#subscriptions.set(topic, subscription);
    return subscription;
  }

  #tellOfStart(topic: string, from: StartPosition['from'] | undefined, { offset }: Acknowledgement): void {
    if (offset !== undefined || from === undefined || from === 'new') return;
    this.#listener.onNotice(`${this.#target.name} keeps no messages: topic '${topic}' starts with new ones.`);
  }

  #onGap({ topic, dropped, reason }: Gap): void {
    if (reason === 'dropped') {
      const many = dropped === undefined ? 'Messages' : dropped === 1 ? '1 message' : `${dropped} messages`;
      const [are, them] = dropped === 1 ? ['is', 'it'] : ['are', 'them'];
      this.#listener.onNotice(
        `${many} of topic '${topic}' ${are} missing here: this client was too slow, and the server did not keep ${them}.`,
      );
    } else if (reason === 'start') {
      this.#listener.onNotice(
        `Messages of topic '${topic}' are missing: the server no longer has all of them since that offset. It starts with the earliest that it has.`,
      );
    } else if (this.#subscriptions.get(topic)?.offset !== undefined) {
      this.#listener.onNotice(
        `Messages of topic '${topic}' that were published in the meantime may be missing: the server no longer has all of them.`,
      );
    }
  }

  async #onError(topic: string, subscription: Subscription, { message }: FanfareError): Promise<void> {
    const isKnown = this.#subscriptions.get(topic) === subscription;
    if (isKnown) this.#subscriptions.delete(topic);
    // Whoever waits for its beginning is told there.
    const hadBegun = await subscription.ready.then(
      () => true,
      () => false,
    );
    if (isKnown && hadBegun) this.#listener.onRefused(topic, message);
  }

  #onStatus({ state, error }: Status): void {
    if (state === 'lost') {
      if (!this.#wasLost)
        this.#listener.onNotice(`Lost the connection to ${this.#target.name}; reconnecting …`);
      this.#wasLost = true;
    } else if (state === 'closed') {
      if (error) for (const topic of this.topics) this.#listener.onRefused(topic, error.message);
    } else if (this.#wasLost) {
      this.#wasLost = false;
      const resumes = [...this.#subscriptions.values()].every(({ offset }) => offset !== undefined);
      const what = resumes
        ? 'Continuing after the last received message.'
        : 'Messages that were published in the meantime are missing.';
      this.#listener.onNotice(`Reconnected to ${this.#target.name}. ${what}`);
    }
  }
}

/** Resolves to nothing when a server does not acknowledge; it keeps no program alive. */
function timeout(): Promise<undefined> {
  return new Promise((resolve) => void setTimeout(() => resolve(undefined), ackTimeoutMs).unref());
}
