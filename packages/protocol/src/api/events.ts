import type { ErrorCode } from '../errors.ts';
import { ref, type Schema } from './json-schema.ts';
import { publishErrors, readErrors } from './operation.ts';

/** An event that a client emits, and its acknowledgement. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly argument: Schema;
  /** Tests send them to a real server. */
  readonly examples: readonly unknown[];
  readonly acknowledgement: Schema;
  /** The error codes with which the server can refuse it. */
  readonly errors: readonly ErrorCode[];
}

/** An event that the server emits. */
export interface Delivery {
  readonly id: string;
  /** The name of the event. */
  readonly name: string;
  readonly summary: string;
  readonly argument: Schema;
  readonly examples?: readonly unknown[];
  readonly parameters?: Readonly<Record<string, { readonly description: string }>>;
}

const errorsOfAll: readonly ErrorCode[] = [
  'bad_request',
  'not_authenticated',
  'token_expired',
  'not_authorized',
  'limit_exceeded',
  'internal',
];

export const commands: readonly Command[] = [
  {
    name: 'subscribe',
    summary: 'Subscribe to a topic or a pattern (PROTOCOL.md §3)',
    argument: ref('SubscribeRequest'),
    examples: [{ topic: 'orders' }, { topic: 'orders/**', envelope: true, from: { last: 10 } }],
    acknowledgement: ref('Subscribed'),
    errors: [...errorsOfAll, 'topic_name_invalid', 'topic_name_reserved', 'rate_limited', ...readErrors],
  },
  {
    name: 'unsubscribe',
    summary: 'End a subscription (PROTOCOL.md 3.9)',
    argument: ref('UnsubscribeRequest'),
    examples: [{ topic: 'orders' }],
    acknowledgement: ref('Unsubscribed'),
    errors: [...errorsOfAll, 'topic_name_invalid'],
  },
  {
    name: 'publish',
    summary: 'Publish a message (PROTOCOL.md §4)',
    argument: ref('PublishRequest'),
    examples: [{ topic: 'orders', message: { item: 'tea' }, id: 'order-9-created' }],
    acknowledgement: ref('PublishResult'),
    errors: [...errorsOfAll, ...publishErrors],
  },
  {
    name: 'token',
    summary: 'Send the next token before the present one expires (PROTOCOL.md 7.8)',
    argument: ref('TokenRequest'),
    examples: [{ token: 'eyJhbGciOiJIUzI1NiJ9.e30.bm90IGEgdG9rZW4' }],
    acknowledgement: ref('TokenRenewed'),
    errors: [...errorsOfAll, 'keys_unavailable'],
  },
];

const time = 1_795_468_944_253;
const offset = 'nq3Zb0eVw2E.18';

export const deliveries: readonly Delivery[] = [
  {
    id: 'deliverEnvelope',
    name: 'message',
    summary: 'A message to an envelope subscription (PROTOCOL.md 3.2)',
    argument: ref('Envelope'),
    examples: [{ topic: 'orders', message: { item: 'tea' }, offset, time }],
  },
  {
    id: 'deliverPlain',
    name: '{topic}',
    summary: 'A message to a plain subscription: the topic is the name of the event (PROTOCOL.md §2)',
    argument: ref('PlainMessage'),
    examples: [{ message: { item: 'tea' } }],
    parameters: { topic: { description: 'The topic of the message.' } },
  },
  {
    id: 'reportState',
    name: 'state',
    summary: 'An envelope subscription has changed its state (PROTOCOL.md 3.6)',
    argument: ref('StateEvent'),
    examples: [{ topic: 'orders', state: 'live', offset }],
  },
  {
    id: 'reportGap',
    name: 'gap',
    summary: 'A subscription has missed messages (PROTOCOL.md 3.12)',
    argument: ref('GapEvent'),
    examples: [{ topic: 'orders', dropped: 3, envelope: true }],
  },
  {
    id: 'reportError',
    name: 'error',
    summary:
      'A command without acknowledgement was refused, a subscription has failed, or the connection ends (PROTOCOL.md 3.8, 3.14, 7.8)',
    argument: ref('ErrorEvent'),
  },
  {
    id: 'refuseConnection',
    name: 'connect_error',
    summary: 'The connection is refused (PROTOCOL.md 7.4)',
    argument: {
      allOf: [ref('LoginRefused')],
      properties: {
        data: {
          properties: {
            code: {
              enum: [
                'not_authenticated',
                'token_expired',
                'keys_unavailable',
                'storage_unavailable',
                'draining',
                'limit_exceeded',
                'bad_request',
                'internal',
              ] satisfies ErrorCode[],
            },
          },
        },
      },
    },
  },
];
