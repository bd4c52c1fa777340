import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  FanfareError,
  formatOffset,
  parseSubscribe,
  parseUnsubscribe,
  type Form,
  type From,
  type Interest,
  type Offset,
  type Subscribed,
  type SubscribeRequest,
  type SubscriptionState,
  type Unsubscribed,
} from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { RateLimits, Source } from '../limits/rate-limits.ts';
import type { Start } from '../log/topic-log.ts';
import type { TopicFilter } from '../subscriptions/audience.ts';
import type { LiveEvent } from './peer-events.ts';
import type { Peer } from './peer.ts';
import { permitReading } from './permit.ts';
import { refuseLogFailure, topicsExhausted } from './refusals.ts';
import { Subscription, type SubscriptionParts } from './subscription.ts';

export interface ConnectionParts extends SubscriptionParts {
  readonly limits: { readonly subscriptionsPerConnectionMax: number };
  readonly rates: RateLimits;
  /** Called if the peer of a connection has no space for a live message of a topic or pattern. */
  readonly onSlow: (connection: Connection, interest: Interest) => void;
  /** Called when a connection closes. May be called again. */
  readonly onClosed: (connection: Connection) => void;
}

const forms = ['plain', 'envelope'] as const;

const { value: commandsMax } = fixedLimits.commandsWaitingMax;

/**
 * The connection of one client, with its subscriptions. It carries out the client's commands in their order.
 */
export class Connection {
  /** The serial number of the connection. */
  readonly number: number;
  /** The time when it was accepted, in milliseconds since 1970. */
  readonly since: number;
  readonly peer: Peer;
  readonly #parts: ConnectionParts;
  /** Each map is made when it is first needed, because most connections are idle, and use one form. */
  readonly #subscriptions: Record<Form, Map<Interest, Subscription> | undefined> = {
    plain: undefined,
    envelope: undefined,
  };
  #rights: Rights;
  /** The reason why the client no longer has rights. */
  #ended: FanfareError | undefined;
  #commands = 0;
  /** Actions that wait for earlier commands. */
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

  /** The subscriptions that have not ended. */
  *subscriptions(): Generator<Subscription, void, undefined> {
    for (const form of forms) {
      for (const subscription of this.#subscriptions[form]?.values() ?? [])
        if (!subscription.isEnded) yield subscription;
    }
  }

  /**
   * Subscribes. A second subscribe without `from` changes nothing.
   *
   * @param input - the untrusted argument, `{topic, envelope?, from?}`
   * @param source - the source of the request, for the rate limits
   * @throws FanfareError
   */
  async subscribe(input: unknown, source: Source = {}): Promise<Subscribed> {
    this.#parts.rates.takeSubscribe(source);
    const request = parseSubscribe(input);
    return this.#inOrder(() => this.#subscribe(request));
  }

  /**
   * Ends a subscription in the given form, or in both forms. It is not an error if there was none.
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
   * Runs an action after the earlier commands. Later commands do not wait for the action.
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
   * @throws FanfareError when the client's token has expired or was revoked
   */
  get rights(): Rights {
    if (this.#ended) throw this.#ended;
    return this.#rights;
  }

  /**
   * The client's token has expired or was revoked: its subscriptions end, and commands that still wait are
   * refused.
   */
  expire(error: FanfareError): void {
    this.#ended = error;
    this.close();
  }

  /**
   * Changes the client's rights, after the earlier commands. Subscriptions that the new rights do not allow
   * are ended.
   *
   * @param find - finds the new rights; if it rejects, nothing is changed
   */
  renew(find: () => Promise<Rights>): Promise<void> {
    return this.#inOrder(async () => {
      // A renewal takes time for each subscription. It yields, so that other clients are served before the
      // next renewal.
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

  /**
   * The peer had no space for a message: every subscription that matches the message continues from the log.
   */
  overflow(event: LiveEvent): void {
    for (const audience of event.audiences) {
      const subscription = this.#subscriptions[event.form]?.get(audience.interest);
      if (subscription?.audience !== audience) continue;
      subscription.overflow(event);
      this.#parts.onSlow(this, audience.interest);
    }
  }

  /** The peer has space again. */
  drained(): void {
    for (const form of forms) {
      for (const subscription of this.#subscriptions[form]?.values() ?? []) subscription.drained();
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The client has gone: all subscriptions end. */
  close(): void {
    this.#isClosed = true;
    for (const form of forms) {
      for (const subscription of this.#subscriptions[form]?.values() ?? []) subscription.abandon();
      this.#subscriptions[form] = undefined;
    }
    this.#parts.onClosed(this);
  }

  /** Runs a command at once if no earlier command waits. */
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
    throw new FanfareError(
      'limit_exceeded',
      `Too many commands are waiting (limit: ${commandsMax} per connection). Wait for acknowledgements before you send more.`,
    );
  }

  #commandDone(): void {
    if (--this.#commands === 0) this.#lastCommand = undefined;
  }

  async #subscribe(request: SubscribeRequest): Promise<Subscribed> {
    const { topic, form, from } = request;
    const filter = permitReading(this.rights, topic);
    const known = this.#subscriptions[form]?.get(topic);
    if (!known) this.#checkLimit();
    // The subscription enters the index before its topic is created. Otherwise the topic could be forgotten
    // before it begins.
    const subscription = new Subscription({ interest: topic, form, filter }, this.peer, this.#parts);
    try {
      const start = await this.#open(topic, from ?? { kind: 'new' }, filter);
      if (known && !known.isEnded && !from) {
        subscription.abandon();
        return acknowledgement(topic, known.state, known.place, { due: 0 });
      }
      if (this.#isClosed) throw new FanfareError('bad_request', 'The connection is closed.');
      known?.end();
      (this.#subscriptions[form] ??= new Map()).set(topic, subscription);
      const { state, position, ...begun } = subscription.begin(start);
      return acknowledgement(topic, state, position, begun);
    } catch (error) {
      subscription.abandon();
      throw error;
    }
  }

  /** Makes the topic exist, and finds the start. */
  async #open(interest: Interest, from: From, filter: TopicFilter | undefined): Promise<Start> {
    const { log } = this.#parts;
    const { subject } = this.#rights.identity;
    const opened = await log
      .open(interest, from, { mayRead: filter?.allows, subject })
      .catch(refuseLogFailure);
    if (opened.creation === 'topics_exhausted') throw topicsExhausted(log);
    return opened;
  }

  #checkLimit(): void {
    const { plain, envelope } = this.#subscriptions;
    const { subscriptionsPerConnectionMax: max } = this.#parts.limits;
    if ((plain?.size ?? 0) + (envelope?.size ?? 0) < max) return;
    throw new FanfareError(
      'limit_exceeded',
      `Limit of ${max} subscriptions per connection reached (\`subscriptionsPerConnectionMax\`).`,
    );
  }
}

function acknowledgement(
  topic: Interest,
  state: SubscriptionState,
  place: Offset,
  { recovered, due }: Omit<Start, 'position'>,
): Subscribed {
  const flag = recovered === undefined ? {} : { recovered };
  return { ok: true, topic, state, offset: formatOffset(place), ...flag, replayed: due };
}
