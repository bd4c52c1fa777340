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
import { statsOf } from '../message-path/stats.ts';
import type { ProcessHealth } from '../observability/process-health.ts';
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
  /** Makes the publish safe to repeat: 1–255 bytes of UTF-8. */
  readonly id?: string;
  /** Whether the topic is made when it does not exist. */
  readonly create?: boolean;
}

export interface HistoryOptions {
  /** Where to start; with the first message that is kept when not given. */
  readonly from?: From;
  /** How many messages at the most. */
  readonly limit?: number;
}

/** A topic that was declared: as `GET /topics/{topic}` tells it, and whether it did not exist before. */
export interface DeclaredTopic extends TopicDetails {
  readonly isNew: boolean;
}

/** What a program may do with the Fanfare inside it, by the same rules as clients, and with all rights. */
export interface Program {
  /**
   * Publishes a message, by the same rules as `POST /publish`.
   *
   * @param message - any JSON value
   * @throws FanfareError, such as `topic_not_found` when nobody has ever subscribed, unless `create` is true
   */
  publish(topic: string, message: unknown, options?: PublishOptions): Promise<PublishResult>;
  /**
   * Makes a topic exist, for good.
   *
   * @throws FanfareError `topic_name_invalid`, `limit_exceeded`, `storage_unavailable`, `draining`
   */
  declare(topic: string): Promise<DeclaredTopic>;
  /**
   * Deletes a topic and its messages. Subscribers stay subscribed.
   *
   * @throws FanfareError `topic_name_invalid`, `topic_not_found`, `storage_unavailable`, `draining`
   */
  delete(topic: string): Promise<void>;
  /**
   * Reads what is kept of a topic or pattern, the oldest first, and ends. It is read a page at a time, as it is asked for.
   *
   * @throws FanfareError `topic_name_invalid`, `bad_request`, `topic_not_found`, `log_damaged`, `draining`; the loop does
   */
  history(topic: string, options?: HistoryOptions): AsyncIterable<Envelope>;
  /**
   * Subscribes to a topic or pattern. With a callback, the next message comes when what it returned has resolved.
   *
   * @example
   * for await (const { topic, message } of fanfare.subscribe('orders/*', { from: 'earliest' })) save(topic, message);
   */
  subscribe(
    topic: string,
    ...rest:
      | [options?: SubscribeOptions, callback?: (envelope: Envelope) => unknown]
      | [callback: (envelope: Envelope) => unknown]
  ): Subscription;
  /**
   * Ends the connections and streams of a subject. None of its tokens counts any more that was issued before.
   *
   * @throws FanfareError `bad_request`, `limit_exceeded`, `draining`; `not_found` on an open server, which has no subjects
   */
  revoke(subject: string): Promise<Revocation>;
  /**
   * How the server is: what `GET /stats` answers (PROTOCOL.md 5.11).
   *
   * @throws FanfareError `draining`
   */
  stats(): Promise<Stats>;
}

/** What of a server a program uses. */
export interface ProgramParts {
  readonly path: MessagePath;
  readonly access: Access;
  readonly revocations: Revocations;
  readonly health: ProcessHealth;
  readonly programs: ProgramStreams;
}

/** As many as a page over HTTP may have. */
const pageMessagesMax = 1_000;

/**
 * Makes what a program has of a server.
 *
 * @param running - the server, once it runs; rejects with `draining` when it was not started
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
        throw new FanfareError('not_found', 'An open server knows no subjects: there is nobody to revoke.');
      return revocations.revoke(access.fullRights, subject);
    },
    stats: async () => {
      const { path, access, health } = await running();
      return statsOf(access.fullRights, path, health);
    },
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
