import { isPattern, matches, type Interest, type Topic } from '@fanfare/protocol';
import { Connection } from './connection.ts';
import { readEnvelope } from './envelope.ts';
import { errorFrom, fieldsOf, textOf, type FanfareError } from './errors.ts';
import { ResumingSubscription, type ResumingSubscriptionOptions } from './resuming-subscription.ts';
import type { ServerAddress, SocketOptions } from './server-address.ts';
import type { Token } from './token.ts';

export interface PooledConnectionListener {
  onUp(pooled: PooledConnection): void;
  /** The connection or a subscription has changed its state, or an attempt to connect has failed. */
  onChange(pooled: PooledConnection, error?: Error): void;
  onRefused(error: FanfareError): void;
}

/** Below the default limit of a server for one connection (`subscriptionsPerConnectionMax`: 128). */
const subscriptionsMax = 100;

/**
 * A connection of the pool, with its subscriptions. A connection can have only one subscription to a topic or
 * pattern, so a second subscription to the same topic needs another connection.
 */
export class PooledConnection {
  readonly connection: Connection;
  readonly #byTopic = new Map<string, ResumingSubscription>();
  /** The subscriptions to patterns. */
  readonly #patterns = new Set<ResumingSubscription>();
  readonly #listener: PooledConnectionListener;
  #wasUp = false;

  constructor(
    address: ServerAddress,
    options: SocketOptions,
    token: Token,
    listener: PooledConnectionListener,
  ) {
    this.#listener = listener;
    this.connection = new Connection(address, options, token, {
      onUp: () => this.#onUp(),
      onDown: () => this.#onDown(),
      onFailure: (error) => listener.onChange(this, error),
      onRefused: (error) => listener.onRefused(error),
      onEvent: (event, argument) => this.#onEvent(event, argument),
    });
  }

  get state(): 'connecting' | 'catching_up' | 'live' | 'lost' {
    if (!this.connection.isUp) return this.#wasUp ? 'lost' : 'connecting';
    for (const { state } of this.#byTopic.values()) if (state !== 'live') return 'catching_up';
    return 'live';
  }

  get isEmpty(): boolean {
    return this.#byTopic.size === 0;
  }

  /** Whether the connection can take a further subscription, to this topic or pattern. */
  hasRoomFor(topic: string): boolean {
    return this.#byTopic.size < subscriptionsMax && !this.#byTopic.has(topic);
  }

  open(options: ResumingSubscriptionOptions): ResumingSubscription {
    const { topic } = options;
    const subscription = new ResumingSubscription(options, {
      request: (event, argument, onAnswer) => this.connection.request(event, argument, onAnswer),
      onChange: () => {
        if (subscription.state === 'closed') this.#forget(subscription);
        this.#listener.onChange(this);
      },
    });
    this.#byTopic.set(topic, subscription);
    if (isPattern(topic as Interest)) this.#patterns.add(subscription);
    return subscription;
  }

  /** @param error - rejects the subscriptions; without it, they end without an error */
  close(error?: FanfareError): void {
    for (const subscription of this.#byTopic.values()) {
      if (error) subscription.fail(error);
      else subscription.close();
    }
    this.connection.close();
  }

  #forget(subscription: ResumingSubscription): void {
    this.#byTopic.delete(subscription.topic);
    this.#patterns.delete(subscription);
  }

  #onUp(): void {
    this.#wasUp = true;
    for (const subscription of this.#byTopic.values()) subscription.begin();
    this.#listener.onUp(this);
    this.#listener.onChange(this);
  }

  #onDown(): void {
    for (const subscription of this.#byTopic.values()) subscription.interrupt();
    this.#listener.onChange(this);
  }

  #onEvent(event: string, argument: unknown): void {
    const fields = fieldsOf(argument);
    const { topic: name, replay, state, dropped, code } = fields;
    const topic = textOf(name);
    const offset = textOf(fields['offset']);
    const subscription = topic === undefined ? undefined : this.#byTopic.get(topic);
    if (event === 'message' && topic !== undefined) this.#onMessage(topic, textOf(replay), argument);
    else if (event === 'state' && offset !== undefined) subscription?.onState(state === 'live', offset);
    else if (event === 'gap' && typeof fields['envelope'] === 'boolean')
      subscription?.onGap(typeof dropped === 'number' ? dropped : undefined);
    else if (event === 'error' && code !== undefined) subscription?.fail(errorFrom(argument));
    else this.#byTopic.get(event)?.receivePlain('message' in fields ? fields['message'] : argument);
  }

  #onMessage(topic: string, replay: string | undefined, argument: unknown): void {
    const envelope = readEnvelope(argument);
    if (!envelope) return;
    if (replay !== undefined) {
      this.#byTopic.get(replay)?.receive(envelope, true);
      return;
    }
    this.#byTopic.get(topic)?.receive(envelope, false);
    for (const subscription of this.#patterns) {
      if (matches(subscription.topic as Interest, topic as Topic)) subscription.receive(envelope, false);
    }
  }
}
