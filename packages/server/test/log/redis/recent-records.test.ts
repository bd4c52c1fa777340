import { matches, type Interest, type Topic } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../../../src/log/redis/library.ts';
import { RecentRecords } from '../../../src/log/redis/recent-records.ts';
import type { LogRecord } from '../../../src/log/topic-log.ts';
import { Rules, type Rule } from '../../../src/rules/rule.ts';

const page = { recordsMax: 1_000, bytesMax: 1e6 };
const all = '**' as Interest;

function rule(match: string, keep: Rule['keep']): Rule {
  return { match: match as Interest, keep, create: 'publish', publishBytesMax: 1e6 };
}

const keepMuch = { count: 1e6, ageMs: 1e9, bytes: 1e9 };

/** The log whose recent records are kept: it removes messages by their rules at once. */
class ModelLog {
  readonly rules: Rules;
  readonly recent: RecentRecords;
  epoch = 'E1';
  head = 0;
  now = 1_000_000;
  #batch = 0;
  #records: LogRecord[] = [];
  readonly #counts = new Map<Topic, number>();

  constructor(rules: readonly Rule[], bytesMax?: number) {
    this.rules = new Rules(rules, rule('**', keepMuch));
    this.recent = new RecentRecords({
      rules: this.rules,
      clock: () => this.now,
      ...(bytesMax !== undefined && { bytesMax }),
    });
    this.recent.restart({ epoch: this.epoch, sequence: 0 });
  }

  append(...messages: readonly (readonly [topic: string, message: string])[]): void {
    const headBefore = this.head;
    const records = messages.map(([name, messageJson]): LogRecord => {
      const topic = name as Topic;
      const isStored = this.rules.of(topic).keep !== 'none';
      const { epoch, now: time } = this;
      if (!isStored) return { topic, messageJson, epoch, sequence: this.head, ordinal: 0, time };
      const ordinal = (this.#counts.get(topic) ?? 0) + 1;
      this.#counts.set(topic, ordinal);
      const sequence = ++this.head;
      if (sequence % 3 > 0) return { topic, messageJson, epoch, sequence, ordinal, time };
      const [id, publisher] = [`né ${sequence}`, `Zoë ${sequence}`];
      return { topic, messageJson, id, publisher, epoch, sequence, ordinal, time };
    });
    this.#records.push(...records.filter(({ ordinal }) => ordinal > 0));
    this.#announce(headBefore, records, []);
    this.#trim();
  }

  delete(topic: string): void {
    this.#records = this.#records.filter((record) => record.topic !== topic);
    this.#counts.delete(topic as Topic);
    this.#announce(this.head, [], [topic as Topic]);
  }

  newEpoch(): void {
    this.epoch = `E${Number(this.epoch.slice(1)) + 1}`;
    this.recent.enter({ epoch: this.epoch, sequence: this.head });
    this.#announce(this.head, [], []);
  }

  advance(ms: number): void {
    this.now += ms;
    this.#trim();
  }

  /** What the log still has after a sequence. */
  after(interest: Interest, sequence: number): readonly LogRecord[] {
    return this.#records.filter((record) => record.sequence > sequence && matches(interest, record.topic));
  }

  #announce(headBefore: number, records: readonly LogRecord[], deleted: readonly Topic[]): void {
    const frame: Frame = {
      epoch: this.epoch,
      batch: ++this.#batch,
      headBefore,
      head: this.head,
      time: this.now,
      records,
      deleted,
    };
    this.recent.add(frame);
  }

  #trim(): void {
    const kept = new Map<Topic, { count: number; bytes: number }>();
    this.#records = this.#records
      .toReversed()
      .filter(({ topic, messageJson, time }) => {
        const { keep } = this.rules.of(topic);
        if (keep === 'none') return false;
        const { count, bytes } = kept.get(topic) ?? { count: 0, bytes: 0 };
        const now = { count: count + 1, bytes: bytes + Buffer.byteLength(messageJson) };
        kept.set(topic, now);
        return (
          now.count <= keep.count && (now.bytes <= keep.bytes || count === 0) && time + keep.ageMs > this.now
        );
      })
      .toReversed();
  }
}

describe('the recent records', () => {
  it('are read like the log, page by page', () => {
    const log = new ModelLog([]);
    log.append(['a', '1'], ['b', '2'], ['a', '3']);
    const start = { epoch: 'E1', sequence: 0 };
    const first = log.recent.read('a' as Topic, start, { recordsMax: 1, bytesMax: 100 });
    expect(first).toMatchObject({
      records: [{ messageJson: '1', ordinal: 1 }],
      position: { epoch: 'E1', sequence: 1, ordinal: 1 },
      isAtHead: false,
      dropped: 0,
    });
    const second = log.recent.read('a' as Topic, first?.position ?? start, page);
    expect(second).toMatchObject({
      records: [{ messageJson: '3' }],
      position: { epoch: 'E1', sequence: 3, ordinal: 2 },
      isAtHead: true,
    });
    expect(log.recent.read(all, start, page)).toMatchObject({
      records: [{ sequence: 1 }, { sequence: 2 }, { sequence: 3 }],
      isAtHead: true,
    });
  });

  it('give a reader of a pattern only what it may read', () => {
    const log = new ModelLog([]);
    log.append(['a', '1'], ['b', '2']);
    const read = log.recent.read(all, { epoch: 'E1', sequence: 0 }, page, (topic) => topic === 'b');
    expect(read?.records.map(({ topic }) => topic)).toEqual(['b']);
  });

  it('say where reading starts from an offset, and that nothing is missing', () => {
    const log = new ModelLog([]);
    log.append(['a', '1'], ['a', '2'], ['b', '3']);
    const offset = { epoch: 'E1', sequence: 1 };
    expect(log.recent.locate('a' as Topic, offset)).toEqual({
      position: { epoch: 'E1', sequence: 1, ordinal: 1 },
      recovered: true,
      due: 1,
    });
    expect(log.recent.locate(all, offset)).toEqual({ position: offset, recovered: true, due: 2 });
    expect(log.recent.locate('a' as Topic, { epoch: 'E1', sequence: 2 })).toEqual({
      position: { epoch: 'E1', sequence: 3, ordinal: 2 },
      recovered: true,
      due: 0,
    });
  });

  it('know an offset of an earlier epoch up to where the next one begins', () => {
    const log = new ModelLog([]);
    log.append(['a', '1'], ['a', '2']);
    log.newEpoch();
    log.append(['a', '3']);
    expect(log.recent.locate('a' as Topic, { epoch: 'E1', sequence: 1 })?.due).toBe(2);
    expect(log.recent.locate('a' as Topic, { epoch: 'E1', sequence: 2 })?.due).toBe(1);
    expect(log.recent.locate('a' as Topic, { epoch: 'E1', sequence: 3 })).toBeUndefined();
    expect(log.recent.locate('a' as Topic, { epoch: 'E2', sequence: 1 })?.due).toBe(2);
    const { position } = log.recent.read('a' as Topic, { epoch: 'E1', sequence: 1 }, page) ?? {};
    expect(position).toMatchObject({ epoch: 'E2', sequence: 3 });
  });

  it('do not answer for an offset of another log, or before them, or after the head', () => {
    const log = new ModelLog([]);
    log.recent.restart({ epoch: 'E1', sequence: 5 });
    log.head = 5;
    log.append(['a', '1']);
    for (const offset of [
      { epoch: 'E0', sequence: 5 },
      { epoch: 'E1', sequence: 4 },
      { epoch: 'E1', sequence: 7 },
    ]) {
      expect(log.recent.locate('a' as Topic, offset)).toBeUndefined();
      expect(log.recent.read('a' as Topic, offset, page)).toBeUndefined();
    }
  });

  it('do not say whether unstored messages are missing', () => {
    const log = new ModelLog([rule('live/**', 'none')]);
    log.append(['live/x', '1'], ['a', '2']);
    const offset = { epoch: 'E1', sequence: 0 };
    expect(log.recent.locate('live/x' as Topic, offset)).toBeUndefined();
    expect(log.recent.locate(all, offset)).toBeUndefined();
    expect(log.recent.locate('a' as Topic, offset)?.due).toBe(1);
  });

  it('do not answer a reader that wants only the newest of what was stored', () => {
    const log = new ModelLog([]);
    log.append(['a', '1'], ['a', '2']);
    const position = { epoch: 'E1', sequence: 0, newest: { count: 1, through: 2 } };
    expect(log.recent.read(all, position, page)).toBeUndefined();
  });

  it('take no more memory than they may, and forget the oldest first', () => {
    const log = new ModelLog([], 100_000);
    for (let at = 0; at < 2_000; at++) log.append([`t${at % 7}`, JSON.stringify('x'.repeat(at % 300))]);
    expect(log.recent.bytes).toBeLessThanOrEqual(100_000);
    expect(log.recent.read(all, { epoch: 'E1', sequence: 1_990 }, page)?.records).toHaveLength(10);
    expect(log.recent.read(all, { epoch: 'E1', sequence: 1_000 }, page)).toBeUndefined();
  });

  it('answer nothing that the log would not answer, whatever happens', () => {
    const topic = fc.constantFrom('a', 'b', 'a/b', 'few', 'small', 'short');
    const step = fc.oneof(
      {
        weight: 10,
        arbitrary: fc.record({
          do: fc.constant('append' as const),
          topics: fc.array(topic, { minLength: 1, maxLength: 5 }),
          size: fc.integer({ min: 1, max: 40 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), topic }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('epoch' as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 4_000 }) }),
      },
      {
        weight: 10,
        arbitrary: fc.record({
          do: fc.constant('read' as const),
          interest: fc.oneof(topic, fc.constantFrom('**', 'a/*', '*')),
          back: fc.integer({ min: 0, max: 30 }),
          recordsMax: fc.integer({ min: 1, max: 10 }),
        }),
      },
    );
    let answers = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (script) => {
        const rules = [
          rule('few', { ...keepMuch, count: 3 }),
          rule('small', { ...keepMuch, bytes: 60 }),
          rule('short', { ...keepMuch, ageMs: 5_000 }),
        ];
        const log = new ModelLog(rules, 8_000);
        for (const each of script) {
          if (each.do === 'append') {
            const message = JSON.stringify('é'.repeat(each.size));
            log.append(...each.topics.map((name) => [name, message] as const));
          } else if (each.do === 'delete') log.delete(each.topic);
          else if (each.do === 'epoch') log.newEpoch();
          else if (each.do === 'advance') log.advance(each.ms);
          else {
            const interest = each.interest as Interest;
            const place = { epoch: log.epoch, sequence: Math.max(0, log.head - each.back) };
            const expected = log.after(interest, place.sequence);
            const read = log.recent.read(interest, place, { ...page, recordsMax: each.recordsMax });
            const start = log.recent.locate(interest, place);
            if (start) expect(start).toMatchObject({ recovered: true, due: expected.length });
            if (!read) continue;
            answers++;
            expect(read.records).toEqual(expected.slice(0, each.recordsMax));
            expect(read.isAtHead).toBe(read.records.length === expected.length);
            expect(read.position.sequence).toBeGreaterThanOrEqual(read.records.at(-1)?.sequence ?? 0);
            expect(log.after(interest, read.position.sequence)).toEqual(expected.slice(each.recordsMax));
          }
        }
      }),
      { numRuns: 500 },
    );
    expect(answers).toBeGreaterThan(500);
  });
});
