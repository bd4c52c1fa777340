import { Buffer } from 'node:buffer';
import type { Topic } from '@fanfare/protocol';
import type { Change, LmdbFile } from './lmdb-file.ts';
import * as codec from '../encoding/record-codec.ts';
import type { LogState } from '../store.ts';

/** The state without its lists, which seldom change. */
const stateKey = Buffer.from('state');
const deletionsKey = Buffer.from('deletions');
const segmentsKey = Buffer.from('deletions by segment');
const clockStepsKey = Buffer.from('clock steps');
const revocationsKey = Buffer.from('revocations');

/**
 * Reads the state of the log; undefined if nothing was ever committed.
 *
 * @param format - of the file, if it is an earlier one
 * @throws LogDamagedError
 */
export function readLogState(file: LmdbFile, format?: number): LogState | undefined {
  const value = file.get('singles', stateKey);
  if (!value) return undefined;
  const { inCommon, ...state } = codec.decodeState(value, stateKey, format);
  const newest = readList(file, deletionsKey, codec.decodeDeletions);
  const bySegment = readList(file, segmentsKey, codec.decodeDeletions);
  return {
    ...state,
    deletions: {
      newest: newest.map(([name, sequence]) => ({ topic: name as Topic, sequence })),
      bySegment: new Map(bySegment.map(([segment, sequence]) => [segment, { sequence }])),
      inCommon,
    },
    clockSteps: readList(file, clockStepsKey, codec.decodeClockSteps),
    revocations: readList(file, revocationsKey, codec.decodeRevocations),
  };
}

/**
 * Yields the changes that write a state.
 *
 * @param last - the state that was written last. Its lists are not written again if they are the same
 */
export function* logStateChanges(state: LogState, last?: LogState): Generator<Change, void, undefined> {
  const { deletions, clockSteps, revocations, ...rest } = state;
  const { newest, bySegment, inCommon } = deletions;
  yield change(stateKey, codec.encodeState({ ...rest, inCommon }, stateKey));
  if (clockSteps !== last?.clockSteps)
    yield change(clockStepsKey, codec.encodeClockSteps(clockSteps, clockStepsKey));
  if (revocations !== last?.revocations)
    yield change(revocationsKey, codec.encodeRevocations(revocations, revocationsKey));
  if (newest !== last?.deletions.newest) {
    const names = newest.map(({ topic, sequence }) => [topic, sequence] as const);
    yield change(deletionsKey, codec.encodeDeletions(names, deletionsKey));
  }
  if (bySegment !== last?.deletions.bySegment) {
    const segments = [...bySegment].map(([segment, { sequence }]) => [segment, sequence] as const);
    yield change(segmentsKey, codec.encodeDeletions(segments, segmentsKey));
  }
}

function readList<T>(file: LmdbFile, key: Buffer, decode: (value: Buffer, key: Buffer) => T[]): T[] {
  const value = file.get('singles', key);
  return value ? decode(value, key) : [];
}

function change(key: Buffer, value: Buffer): Change {
  return { table: 'singles', key, value };
}
