import type { Envelope, From, Gap } from './envelope.ts';
import { FanfareError, reportError } from './errors.ts';
import { readHistory, type HistoryOptions } from './history.ts';
import { PooledConnection } from './pooled-connection.ts';
import { Position, type PositionOptions } from './position.ts';
import { Publisher, type PublishLimits, type PublishResult } from './publisher.ts';
import { parseAddress, type ServerAddress, type SocketOptions } from './server-address.ts';
import type { Subscription } from './subscription.ts';
import { Token, type TokenSource } from './token.ts';
import type { MessageOf, TopicMap, TopicOf } from './topics.ts';

/**
 * How a client is, and how Socket.IO connects.
 *
 * @example
 * const options: ConnectOptions = { token: () => session.token, publishTimeoutMs: 30_000 };
 * @example
 * const options: ConnectOptions = { path: '/realtime/', withCredentials: true };
 */
export interface ConnectOptions extends Partial<PublishLimits>, SocketOptions {
  /** Who this client is. A function is asked for a fresh one whenever one is needed. */
  readonly token?: TokenSource;
}

/**
 * How a subscription begins, and who is told of what.
 *
 * @example
 * const options: SubscribeOptions = { from: 'earliest', storage: localStorage, onGap: ({ topic }) => reload(topic) };
 */
export interface SubscribeOptions extends PositionOptions {
  /** Where to start, where no position is kept yet: from now on, when not given. */
  readonly from?: From;
  /** Called when messages are missing, before the next message is handed out. */
  readonly onGap?: (gap: Gap) => unknown;
  /** With a callback: called when the server refuses or ends the subscription. Without it the error is unhandled. */
  readonly onError?: (error: FanfareError) => unknown;
}

/**
 * How a message is published.
 *
 * @example
 * const options: PublishOptions = { id: `order ${order.number}` };
 */
export interface PublishOptions {
  /** Makes the publish safe to repeat, also by the application. One is made for each when not given. */
  readonly id?: string;
}

/**
 * What an application shows its user. `since` is in milliseconds since 1970; `error` is why the last attempt to
 * connect failed, or why it was closed.
 *
 * - `connecting`: not connected yet
 * - `live`: all subscriptions get messages as they are published
 * - `catching_up`: some are getting what they missed
 * - `lost`: the connection is lost, and tried for
 * - `closed`: for good
 *
 * @example
 * const text = ({ state, since }: Status): string => (state === 'lost' ? `offline since ${new Date(since)}` : state);
 */
export interface Status {
  readonly state: 'connecting' | 'live' | 'catching_up' | 'lost' | 'closed';
  readonly since: number;
  readonly error?: Error;
}

const defaults: PublishLimits = { publishesMax: 10_000, publishTimeoutMs: 300_000 };

/**
 * A client of one server. Made by {@link connect}.
 *
 * @example
 * const fanfare: Fanfare = connect('http://localhost:5000');
 */
export class Fanfare<Topics extends TopicMap = TopicMap> {
  readonly #address: ServerAddress;
  readonly #socketOptions: SocketOptions;
  readonly #token: Token;
  readonly #tokenSource: TokenSource | undefined;
  /** The first is there from the beginning, and publishes. */
  readonly #connections: [PooledConnection, ...PooledConnection[]];
  readonly #publisher: Publisher;
  readonly #listeners = new Set<(status: Status) => unknown>();
  #status: Status = { state: 'connecting', since: Date.now() };
  #isClosed = false;

  /** @throws TypeError when the URL is none of a server */
  constructor(
    url: string,
    {
      token,
      publishesMax = defaults.publishesMax,
      publishTimeoutMs = defaults.publishTimeoutMs,
      ...socketOptions
    }: ConnectOptions = {},
  ) {
    this.#address = parseAddress(url);
    this.#socketOptions = socketOptions;
    this.#tokenSource = token;
    this.#token = new Token(token);
    this.#connections = [this.#addConnection(this.#token)];
    this.#publisher = new Publisher(this.#connections[0].connection, { publishesMax, publishTimeoutMs });
  }

  /**
   * How the connection and the subscriptions are.
   *
   * @example
   * if (fanfare.status.state === 'lost') show(`offline since ${new Date(fanfare.status.since)}`);
   */
  get status(): Status {
    return this.#status;
  }

  /**
   * Calls back whenever {@link status} changes.
   *
   * @returns a function that ends that
   * @example
   * fanfare.onStatus(({ state, since }) => show(state === 'lost' ? `offline since ${new Date(since)}` : state));
   */
  onStatus(listener: (status: Status) => unknown): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Subscribes to a topic or a pattern (`orders/*`: one segment, `orders/**`: all below). Every message comes once and in
   * order, over lost connections and restarted servers; where that cannot be, `onGap` is told before the next one.
   *
   * A message counts as handled when the loop asks for the next one, or the callback has returned, or what it returned
   * has resolved. What is not handled is handed out again to whoever goes on from a kept position.
   *
   * @example
   * for await (const { message } of fanfare.subscribe('orders/**', { from: 'earliest' })) console.log(message);
   * @example
   * fanfare.subscribe('orders/**', { storage: localStorage }, ({ topic, message }) => show(topic, message));
   */
  subscribe<Topic extends TopicOf<Topics>>(
    topic: Topic,
    ...rest:
      | [SubscribeOptions?, ((envelope: Envelope<MessageOf<Topics, Topic>>) => unknown)?]
      | [(envelope: Envelope<MessageOf<Topics, Topic>>) => unknown]
  ): Subscription<MessageOf<Topics, Topic>> {
    const [first, second] = rest;
    const [options = {}, callback] = typeof first === 'function' ? [{}, first] : [first, second];
    if (this.#isClosed) throw closed();
    let pooled = this.#connections.find((one) => one.hasRoomFor(topic));
    if (!pooled) this.#connections.push((pooled = this.#addConnection(new Token(this.#tokenSource))));
    const { from, onGap, onError } = options;
    const position = new Position(topic, options);
    const subscription = pooled.open({ topic, from, onGap, position }) as Subscription<
      MessageOf<Topics, Topic>
    >;
    if (callback) void consume(subscription, callback, onError);
    return subscription;
  }

  /**
   * Publishes a message: any JSON value. Resolves when the server has it. While the connection is lost it waits, and what
   * was not answered is sent again with the same id, so that it happens once.
   *
   * Rejects with a {@link FanfareError}: `queue_full`, `not_answered`, `closed`, or what the server refuses with.
   *
   * @example
   * const { offset } = await fanfare.publish('orders/7', { item: 'tea' });
   */
  async publish<Topic extends TopicOf<Topics>>(
    topic: Topic,
    message: MessageOf<Topics, Topic>,
    { id = newId() }: PublishOptions = {},
  ): Promise<PublishResult> {
    if (this.#isClosed) throw closed();
    return this.#publisher.publish(topic, message, id);
  }

  /**
   * Reads what is kept of a topic or a pattern, the oldest first, and ends.
   *
   * @example
   * for await (const { message, time } of fanfare.history('orders/7', { from: { last: 10 } })) console.log(time, message);
   */
  history<Topic extends TopicOf<Topics>>(
    topic: Topic,
    options: HistoryOptions = {},
  ): AsyncIterable<Envelope<MessageOf<Topics, Topic>>> {
    return readHistory(this.#address, this.#socketOptions, this.#token, topic, options) as AsyncIterable<
      Envelope<MessageOf<Topics, Topic>>
    >;
  }

  /**
   * Ends the connection and all subscriptions. What was not answered yet is rejected with `closed`.
   *
   * @example
   * fanfare.close();
   */
  close(): void {
    this.#end();
  }

  #addConnection(token: Token): PooledConnection {
    return new PooledConnection(this.#address, this.#socketOptions, token, {
      onUp: (pooled) => {
        if (pooled === this.#connections[0]) this.#publisher.sendAgain();
      },
      onChange: (pooled, error) => this.#onChange(pooled, error),
      onRefused: (error) => this.#end(error),
    });
  }

  #onChange(pooled: PooledConnection, error: Error | undefined): void {
    if (this.#isClosed) return;
    const at = this.#connections.indexOf(pooled);
    if (at > 0 && pooled.isEmpty) {
      this.#connections.splice(at, 1);
      pooled.close();
    }
    this.#tell(this.#stateOfAll(), error);
  }

  #stateOfAll(): Status['state'] {
    const [{ state: first }] = this.#connections;
    const states = this.#connections.map(({ state }) => state);
    if (states.includes('lost')) return 'lost';
    if (first === 'connecting') return first;
    return states.every((state) => state === 'live') ? 'live' : 'catching_up';
  }

  #tell(state: Status['state'], error: Error | undefined): void {
    const { state: before, since, error: errorBefore } = this.#status;
    if (state === before && error?.message === errorBefore?.message) return;
    // While it is tried for, the reason stays that of the last attempt.
    if (state === before && !error) return;
    this.#status = { state, since: state === before ? since : Date.now(), ...(error && { error }) };
    for (const listener of this.#listeners) {
      try {
        listener(this.#status);
      } catch (thrown) {
        reportError(thrown);
      }
    }
  }

  #end(error?: FanfareError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const pooled of this.#connections) pooled.close(error);
    this.#publisher.close(error ?? closed());
    this.#tell('closed', error);
  }
}

/**
 * Connects to a server, and keeps connected until {@link Fanfare.close}. It does not wait: what is asked for before the
 * connection is there is done once it is.
 *
 * @param url - such as `http://localhost:5000`; in a browser, the page's own server when not given
 * @throws TypeError when the URL is none of a server
 * @example
 * const fanfare = connect('http://localhost:5000');
 * for await (const { message } of fanfare.subscribe('news')) console.log(message);
 * @example
 * const fanfare = connect(url, { token: async () => (await fetch('/my-token')).text() });
 */
export function connect<Topics extends TopicMap = TopicMap>(
  url: string = '.',
  options: ConnectOptions = {},
): Fanfare<Topics> {
  return new Fanfare<Topics>(url, options);
}

async function consume<Message>(
  subscription: Subscription<Message>,
  callback: (envelope: Envelope<Message>) => unknown,
  onError: (error: FanfareError) => unknown = reportError,
): Promise<void> {
  try {
    for await (const envelope of subscription) {
      try {
        await callback(envelope);
      } catch (error) {
        reportError(error);
      }
    }
  } catch (error) {
    onError(error as FanfareError);
  }
}

function closed(): FanfareError {
  return new FanfareError('closed', 'The client was closed.', false);
}

/** Also where there is no `randomUUID`: on a page that did not come over HTTPS. */
function newId(): string {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');
}
