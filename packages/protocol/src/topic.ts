import { refuseField } from './errors.ts';
import { rememberLast } from './remember-last.ts';

declare const legalTopic: unique symbol;

/** A valid topic name (PROTOCOL.md 1.1). Only {@link parseTopic} creates it. */
export type Topic = string & { readonly [legalTopic]: true };

/** Maximum length of a topic name, in bytes of UTF-8. */
export const topicBytesMax = 255;

/**
 * Topics that cannot be delivered as an event of their own name (PROTOCOL.md 2.4). Socket.IO or this protocol
 * reserves the name; `__proto__` would reach the prototype of a client's table of handlers.
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
 * Parses a topic name: 1–255 bytes of UTF-8, without control characters, leading `$`, and segments that are
 * `*` or `**`.
 *
 * @throws FanfareError with the field `topic`: `bad_request` if it is missing or not a string, else
 *   `topic_name_invalid`
 */
export function parseTopic(input: unknown): Topic {
  return topicOf(typeof input === 'string' ? input : parseName(input));
}

const topicOf = rememberLast((input: string): Topic => {
  const name = parseName(input);
  for (const segment of name.split('/')) {
    if (segment === '*' || segment === '**') {
      throw refuseTopic(`The topic must not have the segment '${segment}', which is reserved for patterns.`);
    }
  }
  return name as Topic;
});

/** Checks the rules that topics and patterns have in common. */
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

/** Whether a plain subscription to this topic is refused. An envelope subscription never is. */
export function isReservedTopic(topic: Topic): boolean {
  return reservedTopics.has(topic);
}

/**
 * Whether a text is longer than `bytesMax` bytes of UTF-8. It encodes the text only if its length does not
 * decide.
 */
export function exceedsBytes(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  if (text.length * 3 <= bytesMax) return false;
  return utf8.encode(text).length > bytesMax;
}

function refuseTopic(detail: string): Error {
  return refuseField('topic_name_invalid', 'topic', detail);
}
