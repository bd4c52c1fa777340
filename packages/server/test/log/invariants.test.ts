import { parseInterest, parseTopic } from '@fanfare/protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CommitPlan } from '../../src/log/local/commit/commit-plan.ts';
import { Tail } from '../../src/log/local/commit/tail.ts';
import { areInOrder } from '../../src/log/local/record-order.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import { LogUncertainError, LogUnwritableError, type LogRecord } from '../../src/log/topic-log.ts';
import { Invariants } from '../../src/observability/invariants.ts';
import type { Rule } from '../../src/rules/rule.ts';
import { openOver, type LocalLogUnderTest } from './open-local-log.ts';

const topic = parseTopic('news');
const keep = { count: 100, ageMs: Infinity, bytes: Infinity };
const fallback: Rule = { match: parseInterest('**'), keep, create: 'publish', publishBytesMax: 1_000 };
const limit = { recordsMax: 10, bytesMax: 1_000 };

function record(sequence: number, ordinal = sequence): LogRecord {
  return { topic, messageJson: '1', epoch: 'e', sequence, ordinal, time: 1 };
}

interface Opened extends LocalLogUnderTest {
  readonly store: MemoryStore;
  readonly invariants: Invariants;
}

function open(): Opened {
  const store = new MemoryStore();
  const invariants = new Invariants({ warn: () => {}, error: () => {} });
  const options = { rules: [], fallback, topicsMax: 10, idWindowMs: 1_000, idsMax: 10 };
  return { ...openOver(store, options, { invariants }), store, invariants };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('records of the log', () => {
  it.each([
    ['no records', [], 7, true],
    ['stored records after the head', [record(8), record(9)], 7, true],
    ['a record that is not stored, at the head', [record(7, 0), record(8), record(8, 0)], 7, true],
    ['a stored record at the head', [record(7)], 7, false],
    ['a stored record before the head', [record(6)], 7, false],
    ['a sequence that comes twice', [record(8), record(8)], 7, false],
    ['a record that is not stored, from before the head', [record(6, 0)], 7, false],
  ])('records are in order, or not: %s', (_, records, after, isInOrder) => {
    expect(areInOrder(records, after)).toBe(isInOrder);
  });
});

describe('a broken invariant of the log', () => {
  it('commit_order refuses a commit that would overwrite records', async () => {
    const { log, store, invariants, close } = open();
    await log.append([{ topic, messageJson: '1' }]);
    // The plan gives its record the sequence of the first one.
    vi.spyOn(CommitPlan.prototype, 'append').mockImplementationOnce(function (this: CommitPlan) {
      this.create(topic, true);
      this.records.push(record(1));
      return { kind: 'appended', epoch: 'e', sequence: 1, time: 1, stored: 'memory' };
    });
    const before = store.readState();
    const commit = vi.spyOn(store, 'commit');
    const outcome = log.append([{ topic, messageJson: '2' }]).catch((error: unknown) => error);
    expect(await outcome).toBeInstanceOf(LogUnwritableError);
    expect(commit).not.toHaveBeenCalled();
    expect(store.readState()).toBe(before);
    expect(invariants.counts).toEqual(new Map([['commit_order', 1]]));
    expect(await log.append([{ topic, messageJson: '3' }])).toMatchObject([
      { kind: 'appended', sequence: 2 },
    ]);
    await close();
  });

  it('outcome_committed acknowledges no record that the store did not get', async () => {
    const { log, invariants, close } = open();
    vi.spyOn(CommitPlan.prototype, 'commit').mockImplementationOnce(function (this: CommitPlan) {
      return { ...this.commit(), isNeeded: false };
    });
    const outcome = log.append([{ topic, messageJson: '1' }]).catch((error: unknown) => error);
    expect(await outcome).toBeInstanceOf(LogUncertainError);
    expect(invariants.counts).toEqual(new Map([['outcome_committed', 1]]));
    await close();
  });

  it('a broken tail_order is counted, and the records are delivered all the same', () => {
    const invariants = new Invariants({ warn: () => {}, error: () => {} });
    const delivered: (readonly LogRecord[])[] = [];
    const tail = new Tail(invariants, 1);
    tail.listen({
      onRecords: (records) => void delivered.push(records),
      onMissed: () => {},
      onBehind: () => {},
    });
    tail.deliver([record(2), record(3)]);
    tail.deliver([]);
    expect(invariants.counts.size).toBe(0);
    tail.deliver([record(3)]);
    tail.deliver([record(5), record(4)]);
    expect(invariants.counts).toEqual(new Map([['tail_order', 2]]));
    expect(delivered).toEqual([[record(2), record(3)], [record(3)], [record(5), record(4)]]);
  });

  it('a broken page_order is counted, and the page is returned all the same', async () => {
    const { log, store, invariants, close } = open();
    await log.append([1, 2, 3].map((n) => ({ topic, messageJson: String(n) })));
    const position = { epoch: log.epoch, sequence: 1, ordinal: 1 };
    expect((await log.read(topic, position, limit)).records).toHaveLength(2);
    expect(invariants.counts.size).toBe(0);
    const [chunk] = store.readChunks(1, 0);
    const backwards = chunk?.records.map(({ sequence }) => ({ sequence: 4 - sequence, messageJson: '1' }));
    vi.spyOn(store, 'readChunks').mockReturnValueOnce(chunk ? [{ ...chunk, records: backwards ?? [] }] : []);
    expect((await log.read(topic, position, limit)).records).toHaveLength(2);
    expect(invariants.counts).toEqual(new Map([['page_order', 1]]));
    await close();
  });
});

describe('the log lines of a broken invariant', () => {
  it('a broken invariant is logged once a minute at level error, with its name and count', () => {
    const lines: [object, string][] = [];
    let now = 0;
    const error = (fields: object, message: string): void => void lines.push([fields, message]);
    const invariants = new Invariants({ warn: () => {}, error }, () => now);
    expect(invariants.check(true, 'tail_order', {})).toBe(true);
    for (let times = 0; times < 3; times++)
      expect(invariants.check(false, 'tail_order', { last: 7 })).toBe(false);
    invariants.check(false, 'page_order', {});
    now = 60_000;
    invariants.check(false, 'tail_order', { last: 8 });
    expect(lines).toEqual([
      [{ invariant: 'tail_order', count: 1, last: 7 }, expect.stringContaining('An invariant')],
      [{ invariant: 'page_order', count: 1 }, expect.stringContaining('A page has the records')],
      [{ invariant: 'tail_order', count: 4, last: 8, repeated: 2 }, expect.stringContaining('Records reach')],
    ]);
  });
});
