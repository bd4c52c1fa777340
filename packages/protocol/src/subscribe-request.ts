import { refuseField } from './errors.ts';
import { fieldsOf } from './fields.ts';
import { parseOffset, type Offset } from './offset.ts';
import { parseInterest, type Interest } from './pattern.ts';
import { isReservedTopic, type Topic } from './topic.ts';

/**
 * The form of deliveries: `plain` is an event named after the topic, `envelope` is the event `message` with
 * the envelope.
 */
export type Form = 'plain' | 'envelope';

/** Where a subscription starts. With an offset, it starts with the first message after it. */
export type From =
  | { readonly kind: 'new' | 'earliest' }
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'offset'; readonly offset: Offset };

export interface SubscribeRequest {
  readonly topic: Interest;
  readonly form: Form;
  /** Absent if the client gave none. Subscribing again without it changes nothing. */
  readonly from?: From;
}

/** A parsed `unsubscribe`. Without `form`, subscriptions of both forms end. */
export interface UnsubscribeRequest {
  readonly topic: Interest;
  readonly form?: Form;
}

/**
 * Parses the argument of the event `subscribe`: `{topic, envelope?, from?}`. Unknown fields are ignored.
 *
 * @throws FanfareError `bad_request`, `topic_name_invalid`, `topic_name_reserved`
 */
export function parseSubscribe(input: unknown): SubscribeRequest {
  const field = fieldsOf(input, 'subscribe');
  const topic = parseInterest(field('topic'));
  const form = parseForm(field('envelope')) ?? 'plain';
  if (form === 'plain' && isReservedTopic(topic as Topic)) {
    throw refuseField(
      'topic_name_reserved',
      'topic',
      `The topic '${topic}' is reserved: it cannot be delivered as an event of that name. Subscribe with {"envelope": true}.`,
    );
  }
  const from = parseFrom(field('from'));
  return { topic, form, ...(from && { from }) };
}

/**
 * Parses the argument of the event `unsubscribe`: `{topic, envelope?}`. Unknown fields are ignored.
 *
 * @throws FanfareError `bad_request`, `topic_name_invalid`
 */
export function parseUnsubscribe(input: unknown): UnsubscribeRequest {
  const field = fieldsOf(input, 'unsubscribe');
  const topic = parseInterest(field('topic'));
  const form = parseForm(field('envelope'));
  return { topic, ...(form && { form }) };
}

function parseForm(input: unknown): Form | undefined {
  if (input === undefined) return undefined;
  if (typeof input !== 'boolean')
    throw refuseField('bad_request', 'envelope', 'envelope must be true or false.');
  return input ? 'envelope' : 'plain';
}

/**
 * Parses where to start: `"new"`, `"earliest"`, `"last"`, an offset, `{"last": N}` or `{"time": ms}`
 * (PROTOCOL.md 3.3).
 *
 * @throws FanfareError `bad_request`, with the field `from`
 */
export function parseFrom(input: unknown): From | undefined {
  if (input === undefined) return undefined;
  if (input === 'new' || input === 'earliest') return { kind: input };
  if (input === 'last') return { kind: 'last', count: 1 };
  const offset = parseOffset(input);
  if (offset) return { kind: 'offset', offset };
  if (typeof input === 'object' && input !== null) {
    const field = fieldsOf(input, 'from');
    const [count, ms] = [field('last'), field('time')];
    if (isCount(count) && ms === undefined) return { kind: 'last', count };
    if (isCount(ms) && count === undefined) return { kind: 'time', ms };
  }
  throw refuseField(
    'bad_request',
    'from',
    'from must be "new", "earliest", "last", an offset, {"last": N} or {"time": ms}.',
  );
}

function isCount(input: unknown): input is number {
  return Number.isSafeInteger(input) && (input as number) >= 0;
}
