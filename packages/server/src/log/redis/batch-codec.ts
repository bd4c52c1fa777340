import { hash as hashOf } from 'node:crypto';
import type { Stored } from '@fanfare/protocol';
import type { Rule } from '../../rules/rule.ts';
import { LogDamagedError, type AppendOutcome, type NewRecord } from '../topic-log.ts';
import type { Argument } from './library.ts';
import { encodeBody } from './message-items.ts';

const hashBytes = 16;
const runHeadSize = 38;
const createsTopicFlag = 1;
const keepsNothingFlag = 2;

/**
 * Returns a batch as arguments of the function `append`: for each run of messages to the same topic, the
 * topic and its rule, and then each message with its id.
 *
 * @param remembers - whether the id of a message is to be remembered
 */
export function encodeRuns<R extends NewRecord>(
  records: readonly R[],
  ruleOf: (record: R) => Rule,
  remembers: (record: R) => boolean = () => true,
): Argument[] {
  const runs: Argument[] = [];
  for (let start = 0; start < records.length;) {
    const first = records[start] as R;
    let end = start + 1;
    while (end < records.length && belongTogether(first, records[end] as R)) end++;
    runs.push(first.topic, encodeRunHead(first, end - start, ruleOf(first)));
    for (; start < end; start++) {
      const record = records[start] as R;
      const hasId = record.id !== undefined && remembers(record);
      runs.push(encodeBody(record), hasId ? encodeId(record) : '');
    }
  }
  return runs;
}

function belongTogether(one: NewRecord, other: NewRecord): boolean {
  return (
    one.topic === other.topic && one.subject === other.subject && one.createsTopic === other.createsTopic
  );
}

/** Returns the rule of a topic as an argument of the function `retain`. */
export function encodeRule(rule: Rule): Buffer {
  return encodeRunHead({}, 0, rule);
}

function encodeRunHead(
  { subject, createsTopic }: Pick<NewRecord, 'subject' | 'createsTopic'>,
  count: number,
  { keep, create, publishBytesMax }: Rule,
): Buffer {
  const head = Buffer.alloc(runHeadSize + (subject === undefined ? 0 : Buffer.byteLength(subject)));
  const kept = keep === 'none' ? { count: 0, bytes: 0, ageMs: Infinity } : keep;
  const flags =
    (createsTopic === true || create === 'publish' ? createsTopicFlag : 0) |
    (keep === 'none' ? keepsNothingFlag : 0);
  head.writeUInt32LE(count, 0);
  head.writeDoubleLE(kept.count, 4);
  head.writeDoubleLE(kept.bytes, 12);
  head.writeDoubleLE(kept.ageMs, 20);
  head.writeDoubleLE(publishBytesMax, 28);
  head.writeUInt8(flags, 36);
  head.writeUInt8(subject === undefined ? 0 : 1, 37);
  if (subject !== undefined) head.write(subject, runHeadSize);
  return head;
}

/**
 * The hash of an id among the ids of all topics and subjects, and the hash of its message. Ids count per
 * subject. Otherwise anyone who may publish to a topic could use up, or find out, the ids of others.
 */
function encodeId({ topic, id, subject, messageJson }: NewRecord): Buffer {
  return Buffer.concat([
    hash(subject === undefined ? `${topic}\0${id}` : `${topic}\0${id}\0${subject}`),
    hash(messageJson),
  ]);
}

function hash(text: string): Buffer {
  return hashOf('sha256', text, 'buffer').subarray(0, hashBytes);
}

const groupHeadSize = 22;

/**
 * Decodes the outcomes of a batch. They are groups of equal outcomes: kind, number, sequence, time and epoch.
 * The sequences of stored messages increase by one.
 *
 * @param level - at which the log stores
 * @throws LogDamagedError
 */
export function decodeOutcomes(groups: Buffer, level: Stored): readonly AppendOutcome[] {
  const outcomes: AppendOutcome[] = [];
  for (let at = 0; at < groups.length;) {
    const kind = groups.toString('latin1', at, at + 1);
    const count = groups.readUInt32LE(at + 1);
    const sequence = groups.readDoubleLE(at + 5);
    const time = groups.readDoubleLE(at + 13);
    const end = at + groupHeadSize + groups.readUInt8(at + 21);
    const epoch = groups.toString('latin1', at + groupHeadSize, end);
    for (let index = 0; index < count; index++) {
      const place = { epoch, sequence: kind === 'A' ? sequence + index : sequence, time };
      outcomes.push(outcomeOf(kind, place, level));
    }
    at = end;
  }
  return outcomes;
}

function outcomeOf(
  kind: string,
  place: { readonly epoch: string; readonly sequence: number; readonly time: number },
  level: Stored,
): AppendOutcome {
  switch (kind) {
    case 'A':
      return { kind: 'appended', ...place, stored: level };
    case 'N':
      return { kind: 'appended', ...place, stored: 'none' };
    case 'D':
      return { kind: 'duplicate', ...place, stored: level };
    case 'U':
      return { kind: 'duplicate', ...place, stored: 'none' };
    case 'F':
      return { kind: 'topic_not_found' };
    case 'X':
      return { kind: 'topics_exhausted' };
    case 'L':
      return { kind: 'message_too_large', bytesMax: place.sequence };
    case 'C':
      return { kind: 'id_conflict' };
    case 'I':
      return { kind: 'ids_exhausted' };
    default:
      throw new LogDamagedError(`The log has answered an append with an unknown outcome ('${kind}').`);
  }
}
