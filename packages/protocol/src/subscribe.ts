import { refuseField } from './errors.ts';
import { fieldsOf } from './fields.ts';
import { parseOffset, type Offset } from './offset.ts';
import { parseInterest, type Interest } from './pattern.ts';
import { isReservedTopic, type Topic } from './topic.ts';

/** How a subscription's deliveries look: an event named by the topic, or the event `message` with the envelope. */
export type Form = 'plain' | 'envelope';

/** Where a subscription starts. An offset is the position after which the first message is wanted. */
export type From =
  | { readonly kind: 'new' | 'earliest' }
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'offset'; readonly offset: Offset };

export interface SubscribeRequest {
  readonly topic: Interest;
  readonly form: Form;
  /** Absent when the client named none; subscribing again then changes nothing. */
  readonly from?: From;
}

/** `form` is absent when both forms are to end. */
export interface UnsubscribeRequest {
  readonly topic: Interest;
  readonly form?: Form;
}

/**
 * Reads the argument of the event `subscribe`: `{topic, envelope?, from?}`. Unknown fields are ignored.
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
 * Reads the argument of the event `unsubscribe`: `{topic, envelope?}`. Unknown fields are ignored.
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
 * Reads where to start.
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
