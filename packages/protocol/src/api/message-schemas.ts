import type { Envelope } from '../envelope.ts';
import type { FieldError, Problem, Refused } from '../errors.ts';
import { errorCodes } from '../errors.ts';
import type { HistoryPage } from '../history.ts';
import type { TokenRenewed } from '../identity-info.ts';
import type { PublishResult } from '../publish.ts';
import type { GapEvent, StateEvent, Subscribed, Unsubscribed } from '../subscription.ts';
import { about, list, object, optional, ref, type Schema } from './json-schema.ts';
import {
  count,
  flag,
  id,
  interest,
  message,
  offset,
  state,
  text,
  time,
  topic,
  yes,
} from './value-schemas.ts';

interface PublishBody {
  readonly topic: string;
  readonly message: unknown;
  readonly id?: string;
}

interface SubscribeArgument {
  readonly topic: string;
  readonly envelope?: boolean;
  readonly from?: unknown;
}

const problem = {
  type: { type: 'string', pattern: '^urn:fanfare:error:[a-z_]+$' },
  title: text,
  status: { type: 'integer', minimum: 400, maximum: 599 },
  detail: text,
  code: ref('ErrorCode'),
  retryable: about(flag, 'Whether the same request can succeed later.'),
  retryAfterMs: optional(
    about(count, 'With `rate_limited`: the server accepts the request after this time.'),
  ),
  errors: optional(list(ref('FieldError'), 'Each fault of a request with bad input.')),
} as const;

/** What clients send, and what they get for it. */
export const messageSchemas: Readonly<Record<string, Schema>> = {
  PublishRequest: object<PublishBody>('A publish. Unknown fields are ignored.', {
    topic,
    message,
    id: optional(id),
  }),
  PublishResult: object<PublishResult>('The acknowledgement of a publish (PROTOCOL.md 4.1).', {
    ok: yes,
    topic,
    offset: optional(about(offset, 'Absent if the topic keeps nothing.')),
    time,
    id: optional(id),
    duplicate: optional({
      const: true,
      description: 'The id was published before: this is the result of the first publish.',
    }),
    stored: { description: 'Where the message is stored.', enum: ['none', 'memory', 'disk', 'replicated'] },
  }),
  BatchResult: list(
    { anyOf: [ref('PublishResult'), ref('Refused')] },
    'The result of each message, in the order of the request (PROTOCOL.md 4.4).',
  ),
  SubscribeRequest: {
    ...object<SubscribeArgument>('The argument of `subscribe`. Unknown fields are ignored.', {
      topic: interest,
      envelope: optional(about(flag, 'Whether messages come as envelopes. The default is false.')),
      from: optional(about(ref('From'), 'The default is "new".')),
    }),
    anyOf: [
      { required: ['envelope'], properties: { envelope: { const: true } } },
      { properties: { topic: ref('PlainTopic') } },
    ],
  },
  Subscribed: object<Subscribed>('The acknowledgement of `subscribe` (PROTOCOL.md 3.4, 3.5).', {
    ok: yes,
    topic: interest,
    state,
    offset: about(offset, 'The subscription gets every matching message after this offset.'),
    recovered: optional(
      about(flag, 'Present if `from` was an offset: whether all messages after it are still stored.'),
    ),
    replayed: about(count, 'The number of stored messages that come first.'),
  }),
  UnsubscribeRequest: object<Omit<SubscribeArgument, 'from'>>(
    'The argument of `unsubscribe`. Unknown fields are ignored.',
    { topic: interest, envelope: optional(about(flag, 'Without it, the subscriptions of both forms end.')) },
  ),
  Unsubscribed: object<Unsubscribed>('The acknowledgement of `unsubscribe`.', { ok: yes, topic: interest }),
  TokenRequest: object<{ token: string }>('The argument of `token`: the next token of the client.', {
    token: text,
  }),
  TokenRenewed: object<TokenRenewed>('The acknowledgement of `token` (PROTOCOL.md 7.8).', {
    ok: yes,
    exp: optional({ type: 'number', description: 'When the token expires, in seconds since 1970.' }),
  }),
  PlainMessage: object<{ message: unknown }>('A message to a plain subscription.', { message }),
  Envelope: object<Envelope>('A message with its offset and time (PROTOCOL.md 3.2).', {
    topic,
    message,
    offset: optional(about(offset, 'Absent if the topic keeps nothing.')),
    time,
    id: optional(id),
    publisher: optional(about(text, 'The subject of the publisher, if the rule of the topic says so.')),
    replay: optional(
      about(interest, 'The topic or pattern of the subscription that catches up with this message.'),
    ),
  }),
  StateEvent: object<StateEvent>('A subscription has changed its state (PROTOCOL.md 3.6).', {
    topic: interest,
    state,
    offset,
  }),
  GapEvent: object<GapEvent>('A subscription has missed messages (PROTOCOL.md 3.12).', {
    topic: interest,
    dropped: optional(about(count, 'The number of missing messages. Absent if it is not known.')),
    envelope: flag,
  }),
  HistoryPage: object<HistoryPage>(
    'A page of stored messages, in the order of the log (PROTOCOL.md 5.3, 5.15).',
    {
      messages: list(ref('Envelope')),
      next: about(offset, 'The value of `from` for the next page; of `before` if the request has `before`.'),
      more: about(flag, 'Whether there are more messages now, after the page or before it.'),
      recovered: optional(about(flag, 'Present if the start was an offset.')),
    },
  ),
  ErrorCode: {
    description: 'The code of an error. PROTOCOL.md 6.2 explains each of them.',
    enum: Object.keys(errorCodes),
  },
  FieldError: object<FieldError>('A wrong field of a request.', { field: text, detail: text }),
  Problem: object<Problem>('An error (RFC 9457, PROTOCOL.md 6.1).', problem),
  ErrorEvent: object<Problem & { readonly topic?: string }>('The argument of `error`.', {
    ...problem,
    topic: optional(about(interest, 'The subscription that has ended.')),
  }),
  LoginRefused: object<{ message: string; data: Problem }>('The argument of `connect_error`.', {
    message: text,
    data: ref('Problem'),
  }),
  Refused: object<Refused>('The acknowledgement of a command that was refused.', {
    ok: { const: false },
    error: ref('Problem'),
  }),
};
