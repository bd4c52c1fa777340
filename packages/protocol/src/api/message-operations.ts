import { about, ref, type Schema } from './json-schema.ts';
import { inJson, json, publishErrors, readErrors, type Operation, type Parameter } from './operation.ts';
import { count, id, interest, offset, text, time } from './value-schemas.ts';

/** The page size of all lists. */
export const limit: Parameter = {
  name: 'limit',
  in: 'query',
  description: 'The maximum number of entries.',
  schema: { type: 'integer', minimum: 1, maximum: 1_000, default: 100 },
  example: 10,
};

const start: Schema = {
  anyOf: [{ enum: ['new', 'earliest', 'last'] }, offset],
  description: '`new`, `earliest`, `last` or an offset.',
};

/** Clients that have no offset yet may send nothing here. */
const offsetOrNothing: Schema = { anyOf: [offset, { const: '' }] };

const exampleOffset = 'nq3Zb0eVw2E.18';

const batch = [
  { topic: 'orders', message: { item: 'tea' } },
  { topic: 'orders', message: { item: 'milk' }, id: 'order-8-created' },
];

const reading: readonly Parameter[] = [
  {
    name: 'topic',
    in: 'name',
    description: 'A topic or a pattern. With `before`, it must be a topic.',
    schema: interest,
    example: 'orders',
  },
  {
    name: 'from',
    in: 'query',
    description: 'Where to start. Use only one of `from`, `last` and `time`.',
    schema: start,
    example: 'earliest',
  },
  { name: 'last', in: 'query', description: 'Starts with the newest N messages.', schema: count, example: 2 },
  {
    name: 'time',
    in: 'query',
    description: 'Starts with the first message of this time or later.',
    schema: time,
    example: 1_795_468_944_253,
  },
  limit,
  {
    name: 'before',
    in: 'query',
    description:
      'Ends the page before this offset. Only for pages, and only without `from`, `last` and `time`.',
    schema: offset,
    example: exampleOffset,
  },
  {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'Only for streams: the offset to resume from. It takes precedence over all parameters.',
    schema: offsetOrNothing,
    example: exampleOffset,
  },
  {
    name: 'lastEventId',
    in: 'query',
    description: 'Only for streams: the same as the header `Last-Event-ID`.',
    schema: offsetOrNothing,
    example: exampleOffset,
  },
];

export const messageOperations: readonly Operation[] = [
  {
    id: 'publish',
    method: 'post',
    paths: ['/publish'],
    tag: 'Publishing',
    summary: 'Publish one message, or a batch',
    description:
      'An object is one message. An array, or lines of JSON, is a batch (PROTOCOL.md §4). ' +
      'For one message, the response is a text, unless `Accept` asks for `application/json`. ' +
      'A batch gets a result for each message, in the form of the request.',
    audience: 'clients',
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        description: 'The same as `id` in the body. Not for batches.',
        schema: id,
        example: 'order-7-created',
      },
    ],
    body: {
      [json]: {
        schema: { anyOf: [ref('PublishRequest'), { type: 'array', items: ref('PublishRequest') }] },
        examples: { message: { topic: 'orders', message: { item: 'tea' } }, batch },
      },
      'application/x-ndjson': {
        schema: about(text, 'A `PublishRequest` in each line.'),
        examples: { lines: batch.map((line) => `${JSON.stringify(line)}\n`).join('') },
      },
    },
    answers: {
      200: {
        description: 'The message was published, or the results of a batch.',
        content: {
          [json]: {
            schema: { anyOf: [ref('PublishResult'), ref('BatchResult')] },
            examples: {
              message: {
                ok: true,
                topic: 'orders',
                offset: exampleOffset,
                time: 1_795_468_944_253,
                stored: 'disk',
              },
            },
          },
          'text/plain': {
            schema: { type: 'string', pattern: "^Message published to topic '[^]*'$" },
            examples: { message: "Message published to topic 'orders'" },
          },
          'application/x-ndjson': { schema: about(text, 'A `PublishResult` or a `Refused` in each line.') },
        },
      },
      404: {
        description: 'The topic does not exist. The text is for clients that do not ask for JSON.',
        content: { 'text/plain': { schema: { type: 'string', pattern: "^Topic '[^]*' does not exist$" } } },
      },
    },
    errors: publishErrors,
  },
  {
    id: 'readMessages',
    method: 'get',
    paths: ['/messages', '/topics/{topic}/messages'],
    tag: 'Reading',
    summary: 'Read stored messages, or open a stream',
    description:
      'The response is a page of stored messages. With `Accept: text/event-stream` it is a stream of ' +
      'Server-Sent Events, which continues with new messages (PROTOCOL.md 5.3 to 5.8).',
    audience: 'clients',
    parameters: reading,
    answers: {
      200: {
        description: 'A page, or a stream.',
        content: {
          ...inJson(ref('HistoryPage')),
          'text/event-stream': {
            schema: about(
              text,
              'The events `subscribed` (`Subscribed`), `message` (`Envelope`; its event has no name), `state` (`StateEvent`), `gap` (`GapEvent`) and `error` (`Problem`). The `data` of each is one line of JSON.',
            ),
          },
        },
      },
    },
    errors: ['topic_name_invalid', 'topic_not_found', 'rate_limited', ...readErrors],
  },
];
