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
 * Options of {@link connect}: token, limits, and the options of Socket.IO.
 *
 * @example
 * const options: ConnectOptions = { token: () => session.token, publishTimeoutMs: 30_000 };
 * @example
 * const options: ConnectOptions = { path: '/realtime/', withCredentials: true };
 */
export interface ConnectOptions extends Partial<PublishLimits>, SocketOptions {
  /** The token of the client, or a function that fetches a fresh one whenever it is needed. */
  readonly token?: TokenSource;
}

/**
 * Options of a subscription: its start, the storage of its position, and its callbacks.
 *
 * @example
 * const options: SubscribeOptions = { from: 'earliest', storage: localStorage, onGap: ({ topic }) =>
 * reload(topic) };
 */
export interface SubscribeOptions extends PositionOptions {
  /** The start if no position is stored yet. Default: `'new'`. */
  readonly from?: From;
  /** Called if messages are missing, before the next message is delivered. */
  readonly onGap?: (gap: Gap) => unknown;
  /**
   * With a callback: called if the server refuses or ends the subscription. Without it, the error is
   * unhandled.
   */
  readonly onError?: (error: FanfareError) => unknown;
}

/**
 * Options of a publish.
 *
 * @example
 * const options: PublishOptions = { id: `order ${order.number}` };
 */
export interface PublishOptions {
  /**
   * Idempotency key, 1–255 bytes. A publish with the same id creates no second message. Default: a random id.
   */
  readonly id?: string;
}

/**
 * The status of the client, to show to users. `since` is in milliseconds since 1970. `error` says why the
 * last attempt to connect failed, or why the client was closed.
 *
 * - `connecting`: not connected yet
 * - `live`: all subscriptions receive messages as they are published
 * - `catching_up`: some subscriptions are receiving earlier messages
 * - `lost`: the connection is lost, and the client is reconnecting
 * - `closed`: closed permanently
 *
 * @example
 * const text = ({ state, since }: Status): string => (state === 'lost' ? `offline since ${new Date(since)}` :
 * state);
 */
export interface Status {
  readonly state: 'connecting' | 'live' | 'catching_up' | 'lost' | 'closed';
  readonly since: number;
  readonly error?: Error;
}

const defaults: PublishLimits = { publishesMax: 10_000, publishTimeoutMs: 300_000 };

/**
 * A client of one server. Create it with {@link connect}.
 *
 * @example
 * const fanfare: Fanfare = connect('http://localhost:5000');
 */
export class Fanfare<Topics extends TopicMap = TopicMap> {
  readonly #address: ServerAddress;
  readonly #socketOptions: SocketOptions;
  readonly #token: Token;
  readonly #tokenSource: TokenSource | undefined;
  /** The pool of connections. The first exists from the start, and carries all publishes. */
  readonly #connections: [PooledConnection, ...PooledConnection[]];
  readonly #publisher: Publisher;
  readonly #listeners = new Set<(status: Status) => unknown>();
  #status: Status = { state: 'connecting', since: Date.now() };
  #isClosed = false;

  /** @throws TypeError if the URL is not the URL of a server */
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
   * The status of the connection and the subscriptions.
   *
   * @example
   * if (fanfare.status.state === 'lost') show(`offline since ${new Date(fanfare.status.since)}`);
   */
  get status(): Status {
    return this.#status;
  }

  /**
   * Calls the listener whenever {@link status} changes.
   *
   * @returns a function that removes the listener
   * @example
   * fanfare.onStatus(({ state, since }) => show(state === 'lost' ? `offline since ${new Date(since)}` :
   * state));
   */
  onStatus(listener: (status: Status) => unknown): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Subscribes to a topic or a pattern (`orders/*`: one segment, `orders/**`: all segments below). Every
   * message arrives once and in order, even if connections are lost and servers restart. If messages are
   * missing, `onGap` is called before the next one.
   *
   * A message counts as handled when the loop asks for the next one, or when the callback (or its promise) is
   * done. A subscription that resumes from a stored position receives unhandled messages again.
   *
   * @example
   * for await (const { message } of fanfare.subscribe('orders/**', { from: 'earliest' }))
   * console.log(message);
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
   * Publishes a message: any JSON value. Resolves when the server has acknowledged it. While the connection
   * is lost, the publish waits; without acknowledgement, it is sent again with the same id, so that it
   * creates one message.
   *
   * Rejects with a {@link FanfareError}: `queue_full`, `not_answered`, `closed`, or an error code of the
   * server.
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
   * Reads the stored messages of a topic or a pattern, the oldest first, and ends. Rejects with a {@link
   * FanfareError}.
   *
   * @example
   * for await (const { message, time } of fanfare.history('orders/7', { from: { last: 10 } }))
   * console.log(time, message);
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
   * Closes the client: its connections and subscriptions. Publishes without acknowledgement reject with
   * `closed`.
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
    // During reconnection, the error stays that of the last attempt.
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
 * Connects to a server, and stays connected until {@link Fanfare.close}. It returns at once: operations wait
 * until the connection is up.
 *
 * @param url - such as `http://localhost:5000`; in a browser, the default is the server of the page
 * @throws TypeError if the URL is not the URL of a server
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

/** A random id. It does not use `randomUUID`, which pages without HTTPS do not have. */
function newId(): string {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');
}
