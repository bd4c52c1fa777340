import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  FanfareError,
  formatOffset,
  isPattern,
  parseSubscribe,
  parseUnsubscribe,
  type Form,
  type Interest,
  type Subscribed,
  type SubscribeRequest,
  type SubscriptionState,
  type Unsubscribed,
} from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { RateLimits, Source } from '../limits/rate-limits.ts';
import type { Start } from '../log/topic-log.ts';
import type { LiveEvent } from './peer-events.ts';
import type { Peer } from './peer.ts';
import { permitReading } from './permit.ts';
import { storageRefusal, topicsExhausted } from './refusals.ts';
import { Subscription, type SubscriptionParts } from './subscription.ts';

export interface ConnectionParts extends SubscriptionParts {
  readonly subscriptionsPerConnectionMax: number;
  readonly rates: RateLimits;
  /** A connection is over. May be called again. */
  readonly onClosed: (connection: Connection) => void;
}

const forms = ['plain', 'envelope'] as const;

const { value: commandsMax } = fixedLimits.commandsWaitingMax;

/** One client that has come, with its subscriptions, until it goes. Its commands are carried out in their order. */
export class Connection {
  /** Its place in the order in which connections came. */
  readonly number: number;
  /** When it came, in milliseconds since 1970. */
  readonly since: number;
  readonly peer: Peer;
  readonly #parts: ConnectionParts;
  /** A map is there once something was in it: most connections are idle, and use one form. */
  readonly #subscriptions: Record<Form, Map<Interest, Subscription> | undefined> = {
    plain: undefined,
    envelope: undefined,
  };
  #rights: Rights;
  /** Why it may nothing any more. */
  #ended: FanfareError | undefined;
  #commands = 0;
  /** What waits for them. */
  #waiting = 0;
  #lastCommand: Promise<unknown> | undefined;
  #isClosed = false;

  constructor(number: number, peer: Peer, rights: Rights, parts: ConnectionParts) {
    this.number = number;
    this.since = parts.now();
    this.peer = peer;
    this.#rights = rights;
    this.#parts = parts;
  }

  /** Those that have not ended. */
  *subscriptions(): Generator<Subscription, void, undefined> {
    for (const form of forms) {
      for (const subscription of this.#subscriptions[form]?.values() ?? [])
        if (!subscription.isEnded) yield subscription;
    }
  }

  /**
   * Subscribes. Doing it twice without `from` is the same as once.
   *
   * @param input - the untrusted argument, `{topic, envelope?, from?}`
   * @param source - what is known of who asks
   * @throws FanfareError
   */
  async subscribe(input: unknown, source: Source = {}): Promise<Subscribed> {
    this.#parts.rates.takeSubscribe(source);
    const request = parseSubscribe(input);
    return this.#inOrder(() => this.#subscribe(request));
  }

  /**
   * Ends a subscription in the form named, or in both. It is no error when there was none.
   *
   * @param input - the untrusted argument, `{topic, envelope?}`
   * @throws FanfareError
   */
  async unsubscribe(input: unknown): Promise<Unsubscribed> {
    const { topic, form } = parseUnsubscribe(input);
    return this.#inOrder(async () => {
      for (const ending of form ? [form] : forms) {
        this.#subscriptions[ending]?.get(topic)?.end();
        this.#subscriptions[ending]?.delete(topic);
      }
      return { ok: true, topic };
    });
  }

  /**
   * Does what is no command of a subscription, but comes after those that are not carried out yet. It holds up none.
   *
   * @throws FanfareError `limit_exceeded`
   */
  afterCommands<T>(action: () => T | Promise<T>): T | Promise<T> {
    if (!this.#lastCommand) return action();
    this.#checkWaiting();
    this.#waiting++;
    return this.#lastCommand.then(() => {
      this.#waiting--;
      return action();
    });
  }

  /**
   * What the client may do.
   *
   * @throws FanfareError when its token has ended meanwhile
   */
  get rights(): Rights {
    if (this.#ended) throw this.#ended;
    return this.#rights;
  }

  /** The client's token has ended: its subscriptions end, and what it has asked for before and was not done yet is not. */
  expire(error: FanfareError): void {
    this.#ended = error;
    this.close();
  }

  /**
   * Goes on with other rights, once the commands before have been carried out: what may not be read any more ends.
   *
   * @param find - finds out the rights; when it rejects nothing is changed
   */
  renew(find: () => Promise<Rights>): Promise<void> {
    return this.#inOrder(async () => {
      // All of its subscriptions are looked at: others have their turn before the next.
      await nextTurn();
      const rights = await find();
      this.#rights = rights;
      for (const form of forms) {
        for (const [interest, subscription] of this.#subscriptions[form] ?? []) {
          const readable = rights.readable(interest);
          if (readable !== 'nothing') subscription.restrict(readable === 'all' ? undefined : readable);
          else {
            this.#subscriptions[form]?.delete(interest);
            subscription.forbid();
          }
        }
      }
    });
  }

  /** The peer had no room for a message: every subscription that the message was for continues from the log. */
  overflow(event: LiveEvent): void {
    for (const audience of event.audiences) {
      const subscription = this.#subscriptions[event.form]?.get(audience.interest);
      if (subscription?.audience === audience) subscription.overflow(event);
    }
  }

  /** The peer has room again. */
  drained(): void {
    for (const form of forms) {
      for (const subscription of this.#subscriptions[form]?.values() ?? []) subscription.drained();
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The client is gone: every subscription ends. */
  close(): void {
    this.#isClosed = true;
    for (const form of forms) {
      for (const subscription of this.#subscriptions[form]?.values() ?? []) subscription.abandon();
      this.#subscriptions[form] = undefined;
    }
    this.#parts.onClosed(this);
  }

  /** A command that needs no waiting is carried out at once when none before it waits. */
  #inOrder<T>(command: () => Promise<T>): Promise<T> {
    this.#checkWaiting();
    this.#commands++;
    const done = this.#lastCommand ? this.#lastCommand.then(command) : command();
    const settled = done.then(
      () => this.#commandDone(),
      () => this.#commandDone(),
    );
    this.#lastCommand = settled;
    return done;
  }

  #checkWaiting(): void {
    if (this.#commands + this.#waiting < commandsMax) return;
    throw new FanfareError('limit_exceeded', `A connection may have ${commandsMax} commands waiting.`);
  }

  #commandDone(): void {
    if (--this.#commands === 0) this.#lastCommand = undefined;
  }

  async #subscribe(request: SubscribeRequest): Promise<Subscribed> {
    const { topic, form, from } = request;
    const filter = permitReading(this.rights, topic);
    const known = this.#subscriptions[form]?.get(topic);
    if (!known) this.#checkLimit();
    // It is in the index before its topic is made: else the topic could be forgotten before the subscription begins.
    const subscription = new Subscription({ interest: topic, form, filter }, this.peer, this.#parts);
    try {
      await this.#ensureExists(topic);
      if (known && !known.isEnded && !from) {
        subscription.abandon();
        return this.#acknowledgement(topic, known.state, known.sequence, { due: 0 });
      }
      const start = await this.#parts.log.locate(topic, from ?? { kind: 'new' }, filter?.allows);
      if (this.#isClosed) throw new FanfareError('bad_request', 'The connection is closed.');
      known?.end();
      (this.#subscriptions[form] ??= new Map()).set(topic, subscription);
      const { state, position, ...begun } = subscription.begin(start);
      return this.#acknowledgement(topic, state, position.sequence, begun);
    } catch (error) {
      subscription.abandon();
      throw error;
    }
  }

  async #ensureExists(interest: Interest): Promise<void> {
    if (isPattern(interest)) return;
    const { log } = this.#parts;
    const { subject } = this.#rights.identity;
    const creation = await log.createTopic(interest, false, subject).catch((cause: unknown) => {
      throw storageRefusal(cause);
    });
    if (creation === 'topics_exhausted') throw topicsExhausted(log);
  }

  #acknowledgement(
    topic: Interest,
    state: SubscriptionState,
    sequence: number,
    { recovered, due }: Omit<Start, 'position'>,
  ): Subscribed {
    const offset = formatOffset({ epoch: this.#parts.log.epoch, sequence });
    const flag = recovered === undefined ? {} : { recovered };
    return { ok: true, topic, state, offset, ...flag, replayed: due };
  }

  #checkLimit(): void {
    const { plain, envelope } = this.#subscriptions;
    const { subscriptionsPerConnectionMax: max } = this.#parts;
    if ((plain?.size ?? 0) + (envelope?.size ?? 0) < max) return;
    throw new FanfareError('limit_exceeded', `A connection may have ${max} subscriptions, and has them.`);
  }
}
