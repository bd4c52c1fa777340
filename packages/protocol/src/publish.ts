import { refuseField, type Refused } from './errors.ts';
import { exceedsBytes } from './topic.ts';

/** The longest publish id, in bytes of UTF-8. */
export const idBytesMax = 255;

/** How deeply arrays and objects of a message may be nested; `[]` is one level. */
export const messageDepthMax = 64;

/** At which level the log has a message: not at all, in memory, on disk after fsync, on several machines. */
export type Stored = 'none' | 'memory' | 'disk' | 'replicated';

/** The answer to a publish: what the log made of it. */
export interface PublishResult {
  readonly ok: true;
  readonly topic: string;
  /** Absent on a topic that keeps nothing. */
  readonly offset?: string;
  /** Milliseconds since 1970, as the log stamped the message. */
  readonly time: number;
  readonly id?: string;
  /** There, and true, when the id had been published before: `time` and `offset` are then the first one's. */
  readonly duplicate?: true;
  readonly stored: Stored;
}

/** The acknowledgement of `publish`, and the result of one message of a batch (PROTOCOL.md 4.4). */
export type PublishAnswer = PublishResult | Refused;

const controlCharacter = /\p{Cc}/u;

/**
 * Reads the optional `id` that makes a publish safe to repeat: 1–255 bytes of UTF-8, no control characters.
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
