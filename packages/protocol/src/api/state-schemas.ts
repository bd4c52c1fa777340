import type {
  ConnectionDetails,
  ConnectionInfo,
  ConnectionPage,
  SubscribedInfo,
  SubscriberInfo,
  SubscriberPage,
} from '../connection-info.ts';
import type { IdentityInfo, Revocation } from '../identity-info.ts';
import type { Figures, LogSize, LoopDelay, NodeStats, Stats, WebhookStats } from '../stats.ts';
import type { RuleDescription, TopicDetails, TopicInfo, TopicPage } from '../topic-info.ts';
import { about, list, object, optional, ref, type Schema } from './json-schema.ts';
import { count, flag, interest, offset, state, text, time, topic, yes } from './value-schemas.ts';

const cursor = about(text, 'Present if there are more entries: the value of `cursor` for the next page.');
const silent = list(text, 'The ids of nodes that did not answer. Their entries are missing.');
/** What all pages have beside their entries. */
const page = { cursor: optional(cursor), silent: optional(silent) };
const transport: Schema = { enum: ['websocket', 'polling', 'stream', 'program'] };
const bytes: Schema = { anyOf: [{ type: 'string', pattern: '^[0-9]+(?:KiB|MiB|GiB)$' }, count] };

const topicInfo = {
  topic,
  subscribers: about(count, 'The number of subscriptions that get its messages.'),
  messages: about(count, 'The number of stored messages.'),
  lastOffset: optional(about(offset, 'The offset of the newest message that the server stored.')),
  published: about(count, 'The number of messages since the server started.'),
  lastTime: optional(about(time, 'The time of the newest message.')),
};

const connectionInfo = {
  id: text,
  transport,
  node: optional(about(text, 'The id of its node. Absent if the server has a log of its own.')),
  address: about(text, 'The IP address of the client. Empty if the connection has none.'),
  subject: optional(about(text, "The subject of the client's token.")),
  since: about(time, 'When the connection began.'),
  subscriptions: count,
  catchingUp: about(count, 'The number of its subscriptions that are not live.'),
  bytesWaiting: about(count, 'The size of its outbox.'),
};

const figures = {
  connections: count,
  subscriptions: count,
  publishes: about(count, 'The number of accepted messages since the start.'),
  deliveries: about(count, 'The number of deliveries since the start.'),
  bytesWaiting: about(count, 'The total size of the outboxes of slow connections.'),
  catchingUp: about(count, 'The number of subscriptions that are not live.'),
} satisfies Record<keyof Figures, Schema>;

const process = { time, startedAt: time, version: text, loopDelayMs: ref('LoopDelay') };

interface Check {
  readonly ok: boolean;
  readonly reason?: string;
  readonly warning?: string;
  readonly stored?: string;
}

/** The state of the server, as operators and clients read it over HTTP. */
export const stateSchemas: Readonly<Record<string, Schema>> = {
  TopicInfo: object<TopicInfo>('A topic (PROTOCOL.md 5.2).', topicInfo),
  Rule: object<RuleDescription>('The rule of a topic, in the form of a rules file.', {
    match: text,
    keep: {
      description: 'How many messages the server keeps, for how long, and up to how many bytes.',
      anyOf: [
        { const: 'none' },
        {
          type: 'object',
          required: ['count', 'age', 'bytes'],
          properties: { count, age: { type: 'string', pattern: '^[0-9]+(?:\\.[0-9]+)?[dhms]$' }, bytes },
        },
      ],
    },
    create: { description: 'Which event creates the topic.', enum: ['subscribe', 'publish'] },
    publishBytesMax: optional(bytes),
    publish: optional(about(yes, 'Everyone who has a token may publish.')),
    subscribe: optional(about(yes, 'Everyone who has a token may read.')),
    publisher: optional(about(yes, 'Envelopes name the publisher.')),
  }),
  TopicDetails: object<TopicDetails>('A topic and its rule (PROTOCOL.md 5.2).', {
    ...topicInfo,
    rule: ref('Rule'),
  }),
  DeclaredTopic: {
    description: 'The topic. A client that may not read it gets only its name (PROTOCOL.md 7.5).',
    anyOf: [ref('TopicDetails'), object<Pick<TopicInfo, 'topic'>>('The name of the topic.', { topic })],
  },
  TopicPage: object<TopicPage>('A page of topics, in the order of their names.', {
    topics: list(ref('TopicInfo')),
    cursor: optional(cursor),
  }),
  ConnectionInfo: object<ConnectionInfo>('A connection (PROTOCOL.md 5.12).', connectionInfo),
  SubscribedInfo: object<SubscribedInfo>('A subscription of a connection.', {
    topic: interest,
    envelope: flag,
    since: time,
    state,
  }),
  ConnectionDetails: object<ConnectionDetails>('A connection and its subscriptions (PROTOCOL.md 5.12).', {
    ...connectionInfo,
    subscribed: list(ref('SubscribedInfo')),
  }),
  ConnectionPage: object<ConnectionPage>('A page of connections.', {
    connections: list(ref('ConnectionInfo')),
    ...page,
  }),
  SubscriberInfo: object<SubscriberInfo>('A subscription that gets the messages of a topic.', {
    connection: about(text, 'The id of its connection.'),
    subject: optional(text),
    address: text,
    transport,
    via: about(interest, 'The topic or pattern of the subscription.'),
    envelope: flag,
    since: time,
    state,
    bytesWaiting: count,
  }),
  SubscriberPage: object<SubscriberPage>('A page of subscribers (PROTOCOL.md 5.14).', {
    subscribers: list(ref('SubscriberInfo')),
    ...page,
  }),
  IdentityInfo: object<IdentityInfo>('The identity of the client (PROTOCOL.md 5.10).', {
    open: about(flag, 'Whether the server needs no tokens. Then every client is an admin.'),
    subject: optional(text),
    admin: flag,
    publish: list(interest, 'The topics and patterns of the token. Rules may allow more.'),
    subscribe: list(interest),
    endsAt: optional(about(time, 'When the token expires.')),
  }),
  Revocation: object<Revocation>('A revocation (PROTOCOL.md 7.9).', {
    subject: text,
    time: about(time, 'The server refuses tokens that were issued at this time or earlier.'),
    ended: about(count, 'The number of connections that were ended.'),
  }),
  LoopDelay: object<LoopDelay>('Event-loop delay of the last seconds, in milliseconds.', {
    p50: { type: 'number', minimum: 0 },
    p99: { type: 'number', minimum: 0 },
    max: { type: 'number', minimum: 0 },
  }),
  NodeStats: object<NodeStats>('The figures of one node.', { id: text, ...process, ...figures }),
  Reloaded: object<{ readonly changed: readonly string[]; readonly needRestart: readonly string[] }>(
    'What a reload has done (PROTOCOL.md 5.19).',
    {
      changed: list(text, 'The names of the settings that are in force now.'),
      needRestart: list(text, 'The names of the settings whose changes need a restart.'),
    },
  ),
  WebhookStats: object<WebhookStats>('The webhook of a rule (PROTOCOL.md §10).', {
    match: about(text, 'The `match` of the rule.'),
    origin: about(text, 'The scheme, host and port of its URL.'),
    state: { enum: ['delivering', 'failing', 'gone'] },
    delivered: about(count, 'The number of accepted requests since the start.'),
    failures: about(count, 'The number of failed requests since the start.'),
    waiting: about(count, 'The number of messages and events in memory that are not delivered.'),
    waitingSince: optional(about(time, 'The time of the oldest of them.')),
    gaps: about(count, 'How many times messages were deleted before they were delivered.'),
    eventsDropped: about(count, 'The number of events that were dropped because too many waited.'),
    offset: optional(about(offset, 'All messages up to here are delivered.')),
    lastFailure: optional(
      object<NonNullable<WebhookStats['lastFailure']>>('The last failed request.', { time, reason: text }),
    ),
  }),
  Stats: object<Stats>('The figures of the server (PROTOCOL.md 5.11).', {
    ...process,
    ...figures,
    topics: count,
    log: object<LogSize>('The size of the log.', {
      kind: { enum: ['disk', 'memory'] },
      bytes: count,
      bytesMax: optional(count),
    }),
    webhooks: optional(list(ref('WebhookStats'), 'Absent if no rule has a webhook.')),
    nodes: optional(list(ref('NodeStats'), 'Absent if the server has a log of its own.')),
    silent: optional(silent),
  }),
  Health: object<{ ok: true }>('The process runs.', { ok: yes }),
  Readiness: object<{ ready: boolean; checks: unknown }>('Whether the server is ready (PROTOCOL.md 5.9).', {
    ready: flag,
    checks: {
      description: 'Each check by its name. Ignore checks that you do not know.',
      type: 'object',
      additionalProperties: object<Check>('A check.', {
        ok: flag,
        reason: optional(about(text, 'Why the check failed.')),
        warning: optional(about(text, 'What an operator should look at.')),
        stored: optional({ enum: ['memory', 'disk', 'replicated'] }),
      }),
    },
  }),
};
