import { idBytesMax, messageDepthMax } from '../publish.ts';
import { reservedTopics, topicBytesMax } from '../topic.ts';
import { ref, type Schema } from './json-schema.ts';

/** No `$` at the start, no control character (Cc) and no lone surrogate (Cs). */
const nameCharacters = '[^\\p{Cc}\\p{Cs}]+$';

export const topic: Schema = ref('Topic');
export const interest: Schema = ref('Interest');
export const offset: Schema = ref('Offset');
export const id: Schema = ref('Id');
export const message: Schema = ref('Message');
export const time: Schema = ref('Time');
export const count: Schema = ref('Count');
export const state: Schema = ref('SubscriptionState');
export const text: Schema = { type: 'string' };
export const flag: Schema = { type: 'boolean' };
export const yes: Schema = { const: true };

/** The schema of a field that must be absent. */
const never: Schema = { not: {} };

/** The values that requests, responses and events have in common. */
export const valueSchemas: Readonly<Record<string, Schema>> = {
  Topic: {
    description: 'The name of a topic: 1–255 bytes of UTF-8. `/` separates its segments (PROTOCOL.md 1.1).',
    type: 'string',
    minLength: 1,
    maxLength: topicBytesMax,
    pattern: `^(?!\\$)(?!(?:[^/]*/)*\\*{1,2}(?:/|$))${nameCharacters}`,
    'x-utf8BytesMax': topicBytesMax,
    examples: ['orders', 'orders/7', 'breaking news'],
  },
  Interest: {
    description:
      'A topic or a pattern. In a pattern, the segment `*` matches one segment. `**` as the last segment matches any number of segments (PROTOCOL.md 1.2).',
    type: 'string',
    minLength: 1,
    maxLength: topicBytesMax,
    pattern: `^(?!\\$)(?!(?:[^/]*/)*\\*\\*/)${nameCharacters}`,
    'x-utf8BytesMax': topicBytesMax,
    examples: ['orders', 'orders/*', 'orders/**'],
  },
  Offset: {
    description: 'A position in the log. Return it exactly as you received it (PROTOCOL.md 1.4).',
    type: 'string',
    pattern: '^[A-Za-z0-9_-]{1,64}\\.(?:0|[1-9][0-9]{0,15})$',
    examples: ['nq3Zb0eVw2E.18'],
  },
  Id: {
    description: 'The idempotency key of a publish: 1–255 bytes of UTF-8 (PROTOCOL.md 4.2).',
    type: 'string',
    minLength: 1,
    maxLength: idBytesMax,
    pattern: `^${nameCharacters}`,
    'x-utf8BytesMax': idBytesMax,
    examples: ['order-7-created'],
  },
  Subject: {
    description: 'The name of a client in its token: 1–255 bytes of UTF-8 (PROTOCOL.md 7.2).',
    type: 'string',
    minLength: 1,
    maxLength: 255,
    pattern: `^${nameCharacters}`,
    'x-utf8BytesMax': 255,
    examples: ['shop-7'],
  },
  Message: {
    description: `Any JSON value, nested at most ${messageDepthMax} levels deep (PROTOCOL.md 1.3).`,
    'x-levelsMax': messageDepthMax,
    examples: [{ item: 'tea' }],
  },
  Time: {
    description: 'A time in milliseconds since 1970.',
    type: 'integer',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    examples: [1_795_468_944_253],
  },
  Count: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  SubscriptionState: {
    description:
      '`live`: it gets messages as they are published. `catching_up`: it gets stored messages (PROTOCOL.md 3.6).',
    enum: ['live', 'catching_up'],
  },
  From: {
    description: 'Where a subscription starts (PROTOCOL.md 3.3).',
    anyOf: [
      { enum: ['new', 'earliest', 'last'] },
      offset,
      {
        description: 'The newest messages of each topic.',
        type: 'object',
        required: ['last'],
        properties: { last: count, time: never },
      },
      {
        description: 'The first message of that time or later.',
        type: 'object',
        required: ['time'],
        properties: { time, last: never },
      },
    ],
    examples: ['earliest', { last: 10 }],
  },
  PlainTopic: {
    description: 'A topic or pattern whose name can be an event (PROTOCOL.md 2.4).',
    allOf: [interest],
    not: { enum: [...reservedTopics] },
  },
};
