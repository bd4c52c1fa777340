import { parseTopic } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppendOutcome, LogRecord, NewRecord, TopicLog } from '../../src/log/topic-log.ts';

/** What the contract needs to steer a log. */
export interface LogUnderTest {
  readonly log: TopicLog;
  /** Moves the log's clock. */
  readonly advance: (ms: number) => void;
}

export interface LogOptions {
  readonly idWindowMs: number;
  readonly idsMax: number;
}

const news = parseTopic('news');
const other = parseTopic('other');
const roomy = { idWindowMs: 1_000, idsMax: 1_000 };

/** What {@link TopicLog} promises, for every log there is. */
export function topicLogContract(name: string, open: (options: LogOptions) => LogUnderTest): void {
  describe(`${name}, as a topic log`, () => {
    it('gives one sequence to all topics, and hands each record to the tail once and in its order', async () => {
      const { log } = open(roomy);
      const tail = collectTail(log);
      const appends = [
        log.append([
          { topic: news, messageJson: '1' },
          { topic: other, messageJson: '2' },
        ]),
        log.append([]),
        log.append([{ topic: news, messageJson: '3' }]),
      ];
      const outcomes = (await Promise.all(appends)).flat();
      await tail.has(3);
      expect(outcomes.map(sequenceOf)).toEqual([1, 2, 3]);
      expect(tail.records.map(({ sequence, topic, messageJson }) => [sequence, topic, messageJson])).toEqual([
        [1, 'news', '1'],
        [2, 'other', '2'],
        [3, 'news', '3'],
      ]);
      expect(log.head).toBe(3);
      expect(log.epoch).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    });

    it('stamps times that never go back, whatever the clock does', async () => {
      const { log, advance } = open(roomy);
      const tail = collectTail(log);
      for (const step of [5, -100, 3, 200]) {
        advance(step);
        await log.append([{ topic: news, messageJson: String(step) }]);
      }
      await tail.has(4);
      const times = tail.records.map(({ time }) => time);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    });

    it('makes one record of two with the same id, in one batch, in one turn and later', async () => {
      const { log } = open(roomy);
      const tail = collectTail(log);
      const record = { topic: news, messageJson: '1', id: 'a' };
      const [both, meanwhile] = await Promise.all([log.append([record, record]), log.append([record])]);
      const later = await log.append([record]);
      await log.append([{ topic: other, messageJson: 'end' }]);
      await tail.has(2);
      const outcomes = [...both, ...meanwhile, ...later];
      expect(outcomes.map(({ kind }) => kind)).toEqual(['appended', 'duplicate', 'duplicate', 'duplicate']);
      expect(new Set(outcomes.map(sequenceOf)).size).toBe(1);
      expect(tail.records.map(({ messageJson }) => messageJson)).toEqual(['1', 'end']);
    });

    it('counts ids per topic', async () => {
      const { log } = open(roomy);
      const outcomes = await log.append([
        { topic: news, messageJson: '1', id: 'a' },
        { topic: other, messageJson: '2', id: 'a' },
      ]);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['appended', 'appended']);
    });

    it('refuses other content under an id, and appends the rest of the batch', async () => {
      const { log } = open(roomy);
      const tail = collectTail(log);
      const outcomes = await log.append([
        { topic: news, messageJson: '1', id: 'a' },
        { topic: news, messageJson: '2', id: 'a' },
        { topic: news, messageJson: '3' },
      ]);
      await tail.has(2);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['appended', 'id_conflict', 'appended']);
      expect(tail.records.map(({ messageJson }) => messageJson)).toEqual(['1', '3']);
    });

    it('remembers an id for the window, and may forget it after', async () => {
      const { log, advance } = open({ ...roomy, idWindowMs: 1_000 });
      const record = { topic: news, messageJson: '1', id: 'a' };
      const kinds = [];
      for (const step of [0, 1_000, 1]) {
        advance(step);
        kinds.push(...(await log.append([record])).map(({ kind }) => kind));
      }
      expect(kinds.slice(0, 2)).toEqual(['appended', 'duplicate']);
    });

    it('refuses new ids when it remembers as many as it may, until some are old enough', async () => {
      const { log, advance } = open({ idWindowMs: 1_000, idsMax: 2 });
      const append = async (id?: string): Promise<string | undefined> => {
        const record = { topic: news, messageJson: '1', ...(id !== undefined && { id }) };
        return (await log.append([record]))[0]?.kind;
      };
      expect([await append('a'), await append('b'), await append('c')]).toEqual([
        'appended',
        'appended',
        'ids_exhausted',
      ]);
      expect([await append('a'), await append()]).toEqual(['duplicate', 'appended']);
      advance(2_000);
      expect(await append('c')).toBe('appended');
    });

    it('agrees with a plain model, whatever is appended in whatever batches', async () => {
      const record = fc.record(
        {
          topic: fc.constantFrom(news, other),
          messageJson: fc.constantFrom('1', '2'),
          id: fc.constantFrom('a', 'b', 'c'),
        },
        { requiredKeys: ['topic', 'messageJson'] },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(record, { maxLength: 4 }), { maxLength: 12 }), async (batches) => {
          const { log } = open(roomy);
          const tail = collectTail(log);
          const outcomes = (await Promise.all(batches.map((batch) => log.append(batch)))).flat();
          const expected = model(batches.flat());
          await tail.has(expected.appended.length);
          expect(outcomes.map((outcome) => [outcome.kind, sequenceOf(outcome)])).toEqual(expected.outcomes);
          expect(tail.records.map(({ topic, messageJson }) => [topic, messageJson])).toEqual(
            expected.appended,
          );
        }),
        { numRuns: 200 },
      );
    });
  });
}

function model(records: readonly NewRecord[]): { outcomes: unknown[]; appended: unknown[] } {
  const ids = new Map<string, { messageJson: string; sequence: number }>();
  const appended: unknown[] = [];
  const outcomes = records.map(({ topic, messageJson, id }) => {
    const first = ids.get(`${topic} ${id}`);
    if (id !== undefined && first) {
      return first.messageJson === messageJson ? ['duplicate', first.sequence] : ['id_conflict', undefined];
    }
    const sequence = appended.push([topic, messageJson]);
    if (id !== undefined) ids.set(`${topic} ${id}`, { messageJson, sequence });
    return ['appended', sequence];
  });
  return { outcomes, appended };
}

function sequenceOf(outcome: AppendOutcome): number | undefined {
  return 'sequence' in outcome ? outcome.sequence : undefined;
}

function collectTail(log: TopicLog): { records: LogRecord[]; has(count: number): Promise<void> } {
  const records: LogRecord[] = [];
  let wake = (): void => {};
  log.tail((committed) => {
    records.push(...committed);
    wake();
  });
  return {
    records,
    has: async (count) => {
      while (records.length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}
