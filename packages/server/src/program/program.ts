import {
  FanfareError,
  parseFrom,
  parseInterest,
  parseOffset,
  type Envelope,
  type PublishResult,
  type Revocation,
  type Stats,
  type TopicDetails,
} from '@fanfare/protocol';
import type { Access } from '../access/access.ts';
import type { Revocations } from '../access/revocations.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import type { MetricsDocument, MetricsText } from '../metrics/exposition.ts';
import type { ProgramPeer } from './program-peer.ts';
import {
  consume,
  ProgramSubscription,
  type From,
  type SubscribeOptions,
  type Subscription,
} from './program-subscription.ts';
import type { ProgramStreams } from './program-streams.ts';

export interface PublishOptions {
  /**
   * The idempotency key of the publish: 1–255 bytes of UTF-8 without control characters (PROTOCOL.md 4.2).
   */
  readonly id?: string;
  /** Whether to create the topic if it does not exist. */
  readonly create?: boolean;
}

export interface HistoryOptions {
  /** The start. By default, the earliest stored message. */
  readonly from?: From;
  /** Maximum number of messages. By default, there is no maximum. */
  readonly limit?: number;
}

/** A declared topic: the fields of `GET /topic` (PROTOCOL.md 5.2), and whether the topic is new. */
export interface DeclaredTopic extends TopicDetails {
  readonly isNew: boolean;
}

/**
 * The interface of an app to the Fanfare in it. The app has all rights. The rules of topics apply to it as to
 * clients.
 */
export interface Program {
  /**
   * Publishes a message, as `POST /publish` does. Resolves to the acknowledgement.
   *
   * @param message - any JSON value
   * @throws FanfareError, such as `topic_not_found` if the topic does not exist and `create` is not set
   */
  publish(topic: string, message: unknown, options?: PublishOptions): Promise<PublishResult>;
  /**
   * Declares a topic: it exists until it is deleted, also after a restart.
   *
   * @throws FanfareError `topic_name_invalid`, `limit_exceeded`, `storage_unavailable`, `draining`
   */
  declare(topic: string): Promise<DeclaredTopic>;
  /**
   * Permanently deletes a topic and its messages. Subscribers stay subscribed.
   *
   * @throws FanfareError `topic_name_invalid`, `topic_not_found`, `storage_unavailable`, `draining`
   */
  delete(topic: string): Promise<void>;
  /**
   * Reads the stored messages of a topic or pattern, the oldest first. A page is read when the loop needs it.
   * After the last stored message, the loop ends.
   *
   * @throws FanfareError `topic_name_invalid`, `bad_request`, `topic_not_found`, `log_damaged`, `draining`;
   *   thrown by the loop
   */
  history(topic: string, options?: HistoryOptions): AsyncIterable<Envelope>;
  /**
   * Subscribes to a topic or pattern. Messages come to the callback or to a loop over the subscription. The
   * next message waits for the promise that the callback returned.
   *
   * @example
   * const orders = fanfare.subscribe('orders/*', { from: 'earliest' });
   * for await (const { topic, message } of orders) save(topic, message);
   */
  subscribe(
    topic: string,
    ...rest:
      | [options?: SubscribeOptions, callback?: (envelope: Envelope) => unknown]
      | [callback: (envelope: Envelope) => unknown]
  ): Subscription;
  /**
   * Revokes all tokens of a subject that were issued so far, and ends its connections and streams. Resolves
   * after the revocation is stored.
   *
   * @throws FanfareError `bad_request`, `limit_exceeded`, `storage_unavailable`, `draining`; `not_found` on
   *   an open server, which has no subjects
   */
  revoke(subject: string): Promise<Revocation>;
  /**
   * Returns the state of the server, as `GET /stats` does (PROTOCOL.md 5.11).
   *
   * @throws FanfareError `draining`
   */
  stats(): Promise<Stats>;
  /**
   * Returns the metrics of the server, as `GET /metrics` does (PROTOCOL.md 5.17), for an app that serves them
   * itself.
   *
   * @param accept - the header `Accept` of the request. It chooses the format of Prometheus or OpenMetrics
   * @throws FanfareError `draining` if the server was not started
   */
  metrics(accept?: string): Promise<MetricsDocument>;
}

/** The parts of a server that this interface uses. */
export interface ProgramParts {
  readonly path: MessagePath;
  readonly access: Access;
  readonly revocations: Revocations;
  readonly programs: ProgramStreams;
  readonly metrics: MetricsText;
}

/** The same limit as for a page over HTTP. */
const pageMessagesMax = 1_000;

/**
 * Makes the interface of an app.
 *
 * @param running - resolves to the running server; rejects with `draining` if the server was not started
 */
export function programOf(running: () => Promise<ProgramParts>): Program {
  return {
    publish: async (topic, message, { id, create = false } = {}) => {
      const { path, access } = await running();
      return path.publish(access.fullRights, { value: { topic, message, id }, createsTopic: create });
    },
    declare: async (topic) => {
      const { path, access } = await running();
      const { isNew } = await path.topics.declare(access.fullRights, topic);
      return { ...(await path.topics.get(access.fullRights, topic)), isNew };
    },
    delete: async (topic) => {
      const { path, access } = await running();
      await path.topics.delete(access.fullRights, topic);
    },
    history: (topic, options = {}) => readHistory(running, topic, options),
    subscribe: (topic, ...rest) => {
      const [first, second] = rest;
      const [options = {}, callback] = typeof first === 'function' ? [{}, first] : [first, second];
      const subscription = new ProgramSubscription(topic, options, () => open(running));
      if (callback) void consume(subscription, callback, options.onError);
      return subscription;
    },
    revoke: async (subject) => {
      const { access, revocations } = await running();
      if (access.isOpen)
        throw new FanfareError('not_found', 'An open server has no subjects, so there is nothing to revoke.');
      return revocations.revoke(access.fullRights, subject);
    },
    stats: async () => {
      const { path, access } = await running();
      return path.nodes.stats(access.fullRights);
    },
    metrics: async (accept) => (await running()).metrics(accept),
  };
}

async function open(running: () => Promise<ProgramParts>): Promise<ProgramPeer> {
  const { path, access, programs } = await running();
  if (path.isDraining) throw new FanfareError('draining', 'The server is shutting down.');
  return programs.open((peer) => path.connections.accept(peer, access.fullRights));
}

async function* readHistory(
  running: () => Promise<ProgramParts>,
  topic: string,
  { from, limit = Infinity }: HistoryOptions,
): AsyncGenerator<Envelope, void, undefined> {
  const { path, access } = await running();
  const interest = parseInterest(topic);
  let start = parseFrom(from) ?? { kind: 'earliest' as const };
  for (let left = limit; left > 0;) {
    const page = await path.history(access.fullRights, interest, start, Math.min(left, pageMessagesMax));
    for (const text of page.messages) {
      yield JSON.parse(text) as Envelope;
      left--;
    }
    const offset = parseOffset(page.next);
    if (!page.more || !offset) return;
    start = { kind: 'offset', offset };
  }
}
