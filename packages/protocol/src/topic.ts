import { refuseField } from './errors.ts';

declare const legalTopic: unique symbol;

/** A legal topic name. Only {@link parseTopic} makes one. */
export type Topic = string & { readonly [legalTopic]: true };

/** The longest topic name, in bytes of UTF-8. */
export const topicBytesMax = 255;

/**
 * Topics that cannot be delivered as an event of their own name: Socket.IO keeps the name for itself, or
 * this protocol does, or (`__proto__`) it would reach into the prototype of a client's table of handlers.
 */
export const reservedTopics: ReadonlySet<string> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
  'message',
  'state',
  'gap',
  'error',
  'token',
  '__proto__',
]);

const controlCharacter = /\p{Cc}/u;
const utf8 = new TextEncoder();

/**
 * Reads a topic name: 1–255 bytes of UTF-8, no control characters, no leading `$`, no segment that is
 * `*` or `**`.
 *
 * @throws FanfareError with the field `topic`: `bad_request` when it is missing or no string, else
 * `topic_name_invalid`
 */
export function parseTopic(input: unknown): Topic {
  const name = parseName(input);
  for (const segment of name.split('/')) {
    if (segment === '*' || segment === '**') {
      throw refuseTopic(`The topic must not have the segment '${segment}', which is reserved for patterns.`);
    }
  }
  return name as Topic;
}

/** Reads what topics and patterns have in common. */
export function parseName(input: unknown): string {
  if (input === undefined) throw refuseField('bad_request', 'topic', 'The topic is missing.');
  if (typeof input !== 'string') throw refuseField('bad_request', 'topic', 'The topic must be a string.');
  if (input === '') throw refuseTopic('The topic must not be empty.');
  if (exceedsBytes(input, topicBytesMax)) {
    throw refuseTopic(`The topic must not be longer than ${topicBytesMax} bytes of UTF-8.`);
  }
  if (!input.isWellFormed())
    throw refuseTopic('The topic must be well-formed Unicode (it has a lone surrogate).');
  if (controlCharacter.test(input)) throw refuseTopic('The topic must not contain control characters.');
  if (input.startsWith('$'))
    throw refuseTopic("The topic must not begin with '$', which is reserved for topics of the server.");
  return input;
}

/** Whether a plain subscription to this topic is refused (an envelope subscription never is). */
export function isReservedTopic(topic: Topic): boolean {
  return reservedTopics.has(topic);
}

/** Whether a text is longer than so many bytes of UTF-8, without encoding it where its length alone tells. */
export function exceedsBytes(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  if (text.length * 3 <= bytesMax) return false;
  return utf8.encode(text).length > bytesMax;
}

function refuseTopic(detail: string): Error {
  return refuseField('topic_name_invalid', 'topic', detail);
}
