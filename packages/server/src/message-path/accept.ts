import {
  FanfareError,
  parseSubscribe,
  parseUnsubscribe,
  type Form,
  type SubscribeRequest,
  type Topic,
} from '@fanfare/protocol';
import type { TopicLog } from '../log/topic-log.ts';
import type { SubscriptionIndex } from '../subscriptions/subscription-index.ts';

/** The other end of a connection, as far as subscribing needs it. */
export interface Peer {
  /** From now on the peer gets what is fanned out to this topic in this form. */
  join(topic: Topic, form: Form): void;
  leave(topic: Topic, form: Form): void;
  /** Tells the peer how many messages of a topic it did not get in this form. */
  gap(topic: Topic, form: Form, dropped: number): void;
}

/** The answer to `subscribe`. */
export interface Subscribed {
  readonly ok: true;
  readonly topic: Topic;
  readonly state: 'live';
  /** Where the subscription starts: it gets every matching message after it. */
  readonly offset: string;
  /** There when `from` was an offset: whether every message after that offset is still to be had. */
  readonly recovered?: boolean;
  /** How many stored messages come first. */
  readonly replayed: number;
}

export interface Unsubscribed {
  readonly ok: true;
  readonly topic: Topic;
}

export interface ConnectionParts {
  readonly index: SubscriptionIndex;
  readonly log: TopicLog;
  readonly subscriptionsPerConnectionMax: number;
}

const forms = ['plain', 'envelope'] as const;

/** One client that has come, with its subscriptions, until it goes. */
export class Connection {
  readonly #peer: Peer;
  readonly #parts: ConnectionParts;
  /** A set is there once something was in it: most connections are idle, and use one form. */
  readonly #topics: Record<Form, Set<Topic> | undefined> = { plain: undefined, envelope: undefined };
  /** The subscriptions that messages are dropped for, each with how many messages its topic had had before. */
  #dropping: Readonly<Record<Form, Map<Topic, number>>> | undefined;

  constructor(peer: Peer, parts: ConnectionParts) {
    this.#peer = peer;
    this.#parts = parts;
  }

  /**
   * Subscribes. Doing it twice is the same as once.
   *
   * @param input - the untrusted argument, `{topic, envelope?, from?}`
   * @throws FanfareError
   */
  subscribe(input: unknown): Subscribed {
    const request = parseSubscribe(input);
    const { topic, form } = request;
    if (!this.#topics[form]?.has(topic)) {
      this.#checkLimit();
      this.#parts.index.add(topic, form);
      (this.#topics[form] ??= new Set()).add(topic);
      this.#peer.join(topic, form);
    }
    return { ok: true, topic, state: 'live', ...this.#start(request) };
  }

  /**
   * Ends a subscription in the form named, or in both. It is no error when there was none.
   *
   * @param input - the untrusted argument, `{topic, envelope?}`
   * @throws FanfareError
   */
  unsubscribe(input: unknown): Unsubscribed {
    const { topic, form } = parseUnsubscribe(input);
    for (const ending of form ? [form] : forms) {
      this.#tellGap(topic, ending);
      this.#end(topic, ending);
    }
    return { ok: true, topic };
  }

  /**
   * The peer had no room for a topic's newest message: it gets none of that subscription until it has taken
   * what waits for it.
   */
  overflow(topic: Topic, form: Form): void {
    if (!this.#topics[form]?.has(topic)) return;
    this.#dropping ??= { plain: new Map(), envelope: new Map() };
    this.#dropping[form].set(topic, this.#parts.index.messages(topic) - 1);
    this.#peer.leave(topic, form);
  }

  /** The peer has taken what waited for it: it is told what it missed, and gets what comes from now on. */
  drained(): void {
    for (const form of forms) {
      for (const topic of this.#dropping?.[form].keys() ?? []) {
        this.#tellGap(topic, form);
        if (this.#topics[form]?.has(topic)) this.#peer.join(topic, form);
      }
    }
  }

  /** The client is gone: every subscription ends. */
  close(): void {
    for (const form of forms) {
      for (const topic of this.#topics[form] ?? []) this.#end(topic, form);
    }
  }

  #tellGap(topic: Topic, form: Form): void {
    const before = this.#dropping?.[form].get(topic);
    if (before === undefined) return;
    this.#dropping?.[form].delete(topic);
    this.#peer.gap(topic, form, this.#parts.index.messages(topic) - before);
  }

  #end(topic: Topic, form: Form): void {
    if (!this.#topics[form]?.delete(topic)) return;
    this.#parts.index.remove(topic, form);
    this.#dropping?.[form].delete(topic);
    this.#peer.leave(topic, form);
  }

  /** No topic keeps messages yet: whatever `from` asks for, there is nothing before now, and an offset cannot be recovered. */
  #start({ from }: SubscribeRequest): Pick<Subscribed, 'offset' | 'recovered' | 'replayed'> {
    const { epoch, head } = this.#parts.log;
    return { offset: `${epoch}.${head}`, ...(from?.kind === 'offset' && { recovered: false }), replayed: 0 };
  }

  #checkLimit(): void {
    const subscriptionsMax = this.#parts.subscriptionsPerConnectionMax;
    const { plain, envelope } = this.#topics;
    if ((plain?.size ?? 0) + (envelope?.size ?? 0) < subscriptionsMax) return;
    throw new FanfareError(
      'limit_exceeded',
      `A connection may have ${subscriptionsMax} subscriptions, and has them.`,
    );
  }
}
