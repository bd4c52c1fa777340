import { refuseField, type Refused } from './errors.ts';
import { rememberLast } from './remember-last.ts';
import { exceedsBytes } from './topic.ts';

/** Maximum length of the id of a publish, in bytes of UTF-8. */
export const idBytesMax = 255;

/** Maximum nesting depth of arrays and objects in a message. `[]` has one level. */
export const messageDepthMax = 64;

/** Where a message is stored: nowhere, in memory, on disk (after fsync), or on several machines. */
export type Stored = 'none' | 'memory' | 'disk' | 'replicated';

/** The acknowledgement of a publish (PROTOCOL.md §4). */
export interface PublishResult {
  readonly ok: true;
  readonly topic: string;
  /** The position after the message. Absent if the topic keeps no messages. */
  readonly offset?: string;
  /** When the log received the message, in milliseconds since 1970. */
  readonly time: number;
  readonly id?: string;
  /** Present if the id was published before. `time` and `offset` are then those of the first publish. */
  readonly duplicate?: true;
  readonly stored: Stored;
}

/** The acknowledgement of `publish`, and the result of one message of a batch (PROTOCOL.md 4.4). */
export type PublishAnswer = PublishResult | Refused;

/** Encodes the acknowledgement of a publish as JSON text: the text that `JSON.stringify` returns for it. */
export function encodePublishResult({ topic, offset, time, id, duplicate, stored }: PublishResult): string {
  const offsetJson = offset === undefined ? '' : `,"offset":"${offset}"`;
  const idJson = id === undefined ? '' : `,"id":${JSON.stringify(id)}`;
  const duplicateJson = duplicate === undefined ? '' : ',"duplicate":true';
  return `${encodeStart(topic)}${offsetJson},"time":${time}${idJson}${duplicateJson},"stored":"${stored}"}`;
}

const encodeStart = rememberLast((topic: string) => `{"ok":true,"topic":${JSON.stringify(topic)}`);

const controlCharacter = /\p{Cc}/u;

/**
 * Parses the optional `id` of a publish, its idempotency key: 1–255 bytes of UTF-8 without control
 * characters.
 *
 * @throws FanfareError `bad_request`, with the field `id`
 */
export function parseId(input: unknown): string | undefined {
  if (input === undefined) return undefined;
  if (typeof input !== 'string' || input === '') {
    throw refuseField('bad_request', 'id', 'The id must be a non-empty string.');
  }
  if (exceedsBytes(input, idBytesMax)) {
    throw refuseField('bad_request', 'id', `The id must not be longer than ${idBytesMax} bytes of UTF-8.`);
  }
  if (!input.isWellFormed() || controlCharacter.test(input)) {
    throw refuseField('bad_request', 'id', 'The id must be well-formed Unicode without control characters.');
  }
  return input;
}
