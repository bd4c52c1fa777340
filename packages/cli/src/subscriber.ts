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

/** A delivered message. Servers other than Fanfare send only the topic and the message. */
export type Delivery = Pick<Envelope, 'topic' | 'message'> & Partial<Envelope>;

export interface SubscriberListener {
  /** Called for each message. If it returns a promise, the next message waits for the promise. */
  onDelivery(delivery: Delivery): unknown;
  /** Called with a sentence for the user: the connection is lost or restored, or messages are missing. */
  onNotice(notice: string): void;
  /** Called if the server ends a subscription, or refuses it after a reconnect. */
  onRefused(topic: string, reason: string): void;
}

/** The outcome of a request. A `pending` request is carried out when the connection is restored. */
export type Outcome =
  { readonly kind: 'done' | 'pending' } | { readonly kind: 'refused'; readonly reason: string };

/**
 * The lab contract does not require acknowledgements. Without one, a subscription counts as accepted after
 * this time.
 */
const ackTimeoutMs = 3_000;

/** Subscriptions on any server that implements the lab contract, with notices for the user. */
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
    // With a code, the reason comes from the server. Without one, it comes from the network.
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
      // A message that several subscriptions match is delivered to each of them. Only the first shows it.
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
    // Before the subscription has started, `subscribe` reports the error.
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

/** Resolves to undefined after the time for an acknowledgement. The timer does not keep the program alive. */
function timeout(): Promise<undefined> {
  return new Promise((resolve) => void setTimeout(() => resolve(undefined), ackTimeoutMs).unref());
}
