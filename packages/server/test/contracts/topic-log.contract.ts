import { parseInterest, parseTopic, type From, type Interest, type Topic } from '@fanfare/protocol';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../../../test/waits.ts';
import {
  LogClosedError,
  type AppendOutcome,
  type NewRecord,
  type TopicLog,
} from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';
import type { LogOptions, LogUnderTest, OpenLog } from './log-under-test.ts';
import { agreesWithModel, steps } from './model-run.ts';
import { appendOne, create, tailOf } from './log-under-test.ts';

const news = parseTopic('news');
const other = parseTopic('other');
const everything = parseInterest('**');
const keep = { count: 1_000, ageMs: Infinity, bytes: Infinity };
const fallback: Rule = { match: everything, keep, create: 'publish', publishBytesMax: 1_000 };
const roomy: LogOptions = { rules: [], fallback, topicsMax: 100, idWindowMs: 1_000, idsMax: 1_000 };
const page = { recordsMax: 100, bytesMax: 1_000_000 };
const nowhere = { epoch: 'none', sequence: 0 };

function keeping(some: Partial<typeof keep> | 'none'): LogOptions {
  return { ...roomy, fallback: { ...fallback, keep: some === 'none' ? some : { ...keep, ...some } } };
}

/** The contract of {@link TopicLog}, for every log. */
export function topicLogContract(name: string, open: OpenLog, { runs }: { readonly runs: number }): void {
  let opened: LogUnderTest[] = [];

  async function opens(options = roomy): Promise<LogUnderTest> {
    const under = await open(options);
    opened.push(under);
    return under;
  }

  afterEach(async () => {
    await Promise.all(opened.map((under) => under.close()));
    opened = [];
  });

  describe(`${name}: appending`, () => {
    it('the log gives one sequence to all topics, and delivers each record to the tail once and in order', async () => {
      const { log, level, settled } = await opens();
      const tail = tailOf(log);
      const appends = [
        log.append([
          { topic: news, messageJson: '1' },
          { topic: other, messageJson: '2' },
        ]),
        log.append([]),
        log.append([{ topic: news, messageJson: '3' }]),
      ];
      const outcomes = (await Promise.all(appends)).flat();
      expect(outcomes.map(sequenceOf)).toEqual([1, 2, 3]);
      expect(outcomes[0]).toMatchObject({ kind: 'appended', stored: level });
      await settled?.();
      expect(
        tail.map(({ sequence, ordinal, topic, messageJson }) => [sequence, ordinal, topic, messageJson]),
      ).toEqual([
        [1, 1, 'news', '1'],
        [2, 1, 'other', '2'],
        [3, 2, 'news', '3'],
      ]);
      expect(log.head).toBe(3);
      expect(log.epoch).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    });

    it('the log stamps records by its clock, whose time stands still if it is set back by at most a minute', async () => {
      const { log, advance, startTime, settled } = await opens();
      const tail = tailOf(log);
      const hour = 3_600_000;
      for (const step of [5, -100, 3, 200, hour, -hour, -60_000, 59_000, -10 * hour, -startTime]) {
        await advance(step);
        await log.append([{ topic: news, messageJson: String(step) }]);
      }
      await settled?.();
      expect(tail.map(({ time }) => time - startTime)).toEqual([
        5,
        5,
        5,
        108,
        108 + hour,
        108,
        108,
        108,
        // A clock that shows a time before 1970 counts as one that shows 1970.
        -startTime,
        -startTime,
      ]);
    });

    it('the log delivers records that are not stored with the sequence of the newest stored one', async () => {
      const { log, settled } = await opens({
        ...roomy,
        rules: [{ ...fallback, match: other, keep: 'none' }],
      });
      const tail = tailOf(log);
      const outcomes = await log.append([
        { topic: other, messageJson: '1' },
        { topic: news, messageJson: '2' },
        { topic: other, messageJson: '3' },
      ]);
      expect(outcomes.map(sequenceOf)).toEqual([0, 1, 1]);
      expect(outcomes[2]).toMatchObject({ stored: 'none' });
      await settled?.();
      expect(tail.map(({ sequence, ordinal, messageJson }) => [sequence, ordinal, messageJson])).toEqual([
        [0, 0, '1'],
        [1, 1, '2'],
        [1, 0, '3'],
      ]);
      expect(await readAll(log, everything)).toEqual([2]);
    });

    it('the log refuses messages that are too large, in bytes, and appends the rest of the batch', async () => {
      const { log } = await opens({ ...roomy, fallback: { ...fallback, publishBytesMax: 4 } });
      const outcomes = await log.append([
        { topic: news, messageJson: '"é"' },
        { topic: news, messageJson: '"éé"' },
        { topic: news, messageJson: '"ab"' },
      ]);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['appended', 'message_too_large', 'appended']);
      expect(outcomes[1]).toEqual({ kind: 'message_too_large', bytesMax: 4 });
    });

    it('the log rejects all operations after it is closed, and settles all earlier ones', async () => {
      const { log } = await opens();
      const before = log.append([{ topic: news, messageJson: '1' }]);
      const closes = [log.close(), log.close()];
      const asked = [
        () => log.append([]),
        () => appendOne(log, { topic: news, messageJson: '2' }),
        () => create(log, news),
        () => log.declareTopic(other),
        () => log.deleteTopic(news),
        () => log.topics({ prefix: '', limit: 1 }),
        () => log.topicState(news),
        () => log.locate(news, { kind: 'earliest' }),
        () => log.read(news, nowhere, page),
        () => log.readBefore(news, nowhere, page),
        () => log.usage(),
      ];
      for (const ask of asked) await expect(ask()).rejects.toThrow(LogClosedError);
      expect((await before).map(({ kind }) => kind)).toEqual(['appended']);
      await Promise.all(closes);
      for (const ask of asked) await expect(ask()).rejects.toThrow(LogClosedError);
    });
  });

  describe(`${name}: ids`, () => {
    it('the log stores two records with the same id once, in one batch, in one turn and later', async () => {
      const { log, settled } = await opens();
      const tail = tailOf(log);
      const record = { topic: news, messageJson: '1', id: 'a' };
      const [both, meanwhile] = await Promise.all([log.append([record, record]), log.append([record])]);
      const later = await log.append([record]);
      const outcomes = [...both, ...meanwhile, ...later];
      expect(outcomes.map(({ kind }) => kind)).toEqual(['appended', 'duplicate', 'duplicate', 'duplicate']);
      expect(new Set(outcomes.map(sequenceOf)).size).toBe(1);
      await settled?.();
      expect(tail.map(({ id }) => id)).toEqual(['a']);
    });

    it('the log keeps ids separately for each topic', async () => {
      const { log } = await opens();
      const outcomes = await log.append([
        { topic: news, messageJson: '1', id: 'a' },
        { topic: other, messageJson: '2', id: 'a' },
      ]);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['appended', 'appended']);
    });

    it('the log keeps ids separately for each subject', async () => {
      const { log } = await opens();
      const recordsOf = (messageJson: string): NewRecord[] => [
        { topic: news, messageJson, id: 'a' },
        { topic: news, messageJson, id: 'a', subject: 'ann' },
        { topic: news, messageJson, id: 'a', subject: 'bob' },
      ];
      const first = await log.append(recordsOf('1'));
      expect(first.map(({ kind }) => kind)).toEqual(['appended', 'appended', 'appended']);
      expect(new Set(first.map(sequenceOf)).size).toBe(3);
      const again = await log.append(recordsOf('1'));
      expect(again.map(({ kind }) => kind)).toEqual(['duplicate', 'duplicate', 'duplicate']);
      expect(again.map(sequenceOf)).toEqual(first.map(sequenceOf));
      const kinds = (await log.append(recordsOf('2'))).map(({ kind }) => kind);
      expect(kinds).toEqual(['id_conflict', 'id_conflict', 'id_conflict']);
    });

    it('the log refuses different content under an id, and appends the rest of the batch', async () => {
      const { log, settled } = await opens();
      const tail = tailOf(log);
      const outcomes = await log.append([
        { topic: news, messageJson: '1', id: 'a' },
        { topic: news, messageJson: '2', id: 'a' },
        { topic: news, messageJson: '3' },
      ]);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['appended', 'id_conflict', 'appended']);
      await settled?.();
      expect(tail.map(({ messageJson }) => messageJson)).toEqual(['1', '3']);
    });

    it('the log remembers an id for the window, and can forget it afterwards', async () => {
      const { log, advance } = await opens({ ...roomy, idWindowMs: 1_000 });
      const record = { topic: news, messageJson: '1', id: 'a' };
      const kinds = [];
      for (const step of [0, 1_000, 1]) {
        await advance(step);
        kinds.push(...(await log.append([record])).map(({ kind }) => kind));
      }
      expect(kinds.slice(0, 2)).toEqual(['appended', 'duplicate']);
    });

    it('the log refuses new ids while the idempotency table is full', async () => {
      const { log, advance } = await opens({ ...roomy, idWindowMs: 1_000, idsMax: 2 });
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
      await advance(2_000);
      expect(await append('c')).toBe('appended');
    });

    it('the log remembers ids after it is opened again', async () => {
      const { log, reopen } = await opens();
      const record = { topic: news, messageJson: '1', id: 'a' };
      const [first] = await log.append([record]);
      const again = await reopen?.();
      if (again) expect(await again.append([record])).toEqual([{ ...first, kind: 'duplicate' }]);
    });
  });

  describe(`${name}: topics`, () => {
    it('the log executes calls in their order', async () => {
      const { log, startTime } = await opens({ ...roomy, fallback: { ...fallback, create: 'subscribe' } });
      const record = { topic: news, messageJson: '1' };
      const answers = await Promise.all([
        log.deleteTopic(news),
        log.declareTopic(news),
        create(log, news),
        log.append([record]),
        log.deleteTopic(news),
        log.deleteTopic(news),
        appendOne(log, record),
        create(log, news),
        appendOne(log, record),
      ]);
      const kinds = answers.flat().map((answer) => (typeof answer === 'object' ? answer.kind : answer));
      expect(kinds).toEqual([
        false,
        'created',
        'existed',
        'appended',
        true,
        false,
        'topic_not_found',
        'created',
        'appended',
      ]);
      expect(await log.topicState(news)).toEqual({
        topic: 'news',
        messages: 1,
        last: { epoch: log.epoch, sequence: 2 },
        published: 1,
        lastTime: startTime,
      });
    });

    it('the log has no more topics than the limit', async () => {
      const { log } = await opens({ ...roomy, topicsMax: 2, isInUse: (topic) => topic === other });
      expect(log.topicsMax).toBe(2);
      const third = parseTopic('third');
      const answers = await Promise.all([
        log.declareTopic(news),
        create(log, other),
        log.append([{ topic: third, messageJson: '1' }]),
        log.declareTopic(third),
        create(log, third),
        create(log, news),
      ]);
      const [, , [appended]] = answers;
      expect(answers.toSpliced(2, 1)).toEqual([
        'created',
        'created',
        'topics_exhausted',
        'topics_exhausted',
        'existed',
      ]);
      expect(appended).toEqual({ kind: 'topics_exhausted' });
      await log.deleteTopic(other);
      expect(await log.append([{ topic: third, messageJson: '1' }])).toMatchObject([{ kind: 'appended' }]);
    });

    it('a new topic replaces an unused name, but never a topic that is in use, declared or has messages', async () => {
      const { log } = await opens({ ...roomy, topicsMax: 4, isInUse: (topic) => topic === 'used' });
      const [used, declared, kept] = ['used', 'declared', 'kept'].map(parseTopic) as [Topic, Topic, Topic];
      await create(log, used);
      await log.declareTopic(declared);
      await log.append([{ topic: kept, messageJson: '1' }]);
      for (let at = 0; at < 20; at++) {
        const topic = parseTopic(`name ${at}`);
        expect(await create(log, topic)).toBe('created');
        expect(await namesOf(log)).toEqual([declared, kept, topic, used]);
      }
      const last = parseTopic('last');
      expect(await log.declareTopic(last)).toBe('created');
      expect(await create(log, news)).toBe('topics_exhausted');
      expect(await log.declareTopic(news)).toBe('topics_exhausted');
      expect(await namesOf(log)).toEqual([declared, kept, last, used]);
    });

    it.each<[string, (log: TopicLog, topic: Topic) => unknown]>([
      ['publishing to it', (log, topic) => log.append([{ topic, messageJson: '2' }])],
      ['subscribing to it', (log, topic) => create(log, topic)],
      ['leaving it', (log, topic) => log.noteUse(topic)],
      ['reading it', (log, topic) => log.locate(topic, { kind: 'earliest' })],
      [
        'reading it back',
        (log, topic) => log.readBefore(topic, { epoch: log.epoch, sequence: log.head }, page),
      ],
    ])('a new topic replaces the least recently used name at the limit, and %s is a use', async (_, use) => {
      const { log } = await opens({ ...keeping('none'), topicsMax: 3 });
      for (const topic of [other, news]) await create(log, topic);
      await use(log, other);
      await create(log, parseTopic('third'));
      await create(log, parseTopic('fourth'));
      expect(await namesOf(log)).toEqual(['fourth', 'other', 'third']);
      await create(log, parseTopic('fifth'));
      expect(await namesOf(log)).toEqual(['fifth', 'fourth', 'third']);
    });

    it('one batch can create any number of unused topics', async () => {
      const { log, settled } = await opens({
        ...keeping('none'),
        topicsMax: 3,
        isInUse: (topic) => topic === news,
      });
      const tail = tailOf(log);
      await create(log, news);
      await log.declareTopic(other);
      const topics = Array.from({ length: 40 }, (_, at) => parseTopic(`made/${at}`));
      const outcomes = await log.append(topics.map((topic) => ({ topic, messageJson: '1' })));
      expect(outcomes).toEqual(topics.map(() => expect.objectContaining({ kind: 'appended' }) as object));
      await settled?.();
      expect(tail.map(({ topic }) => topic)).toEqual(topics);
      expect(await namesOf(log)).toEqual([...topics.slice(-1), news, other]);
    });

    it('a new topic can be created however many names are used in the same batch', async () => {
      const { log } = await opens({ ...keeping('none'), topicsMax: 201 });
      const topics = Array.from({ length: 200 }, (_, at) => parseTopic(`name ${at}`));
      for (const topic of [...topics, other]) await create(log, topic);
      const outcomes = await log.append([...topics, news].map((topic) => ({ topic, messageJson: '1' })));
      expect(outcomes.at(-1)).toMatchObject({ kind: 'appended' });
      expect(await log.topicState(other)).toBeUndefined();
      expect(await log.topicState(topics[0] as Topic)).toMatchObject({ published: 1 });
    });

    it('a topic that keeps messages can be replaced only after they are gone', async () => {
      const { log, advance } = await opens({ ...keeping({ ageMs: 1_000 }), topicsMax: 2 });
      const record = (topic: Topic): NewRecord[] => [{ topic, messageJson: '1' }];
      await log.append([...record(news), ...record(other)]);
      const third = parseTopic('third');
      expect(await log.declareTopic(third)).toBe('topics_exhausted');
      expect(await log.append(record(third))).toEqual([{ kind: 'topics_exhausted' }]);
      await advance(500);
      await log.append(record(news));
      await advance(600);
      expect(await log.declareTopic(third)).toBe('created');
      expect(await namesOf(log)).toEqual([news, third]);
      await advance(500);
      expect(await log.append(record(other))).toMatchObject([{ kind: 'appended' }]);
      expect(await namesOf(log)).toEqual([other, third]);
    });

    it('a forgotten topic counts as deleted, and its ids are remembered', async () => {
      const brief: Rule = { ...fallback, match: news, keep: { ...keep, ageMs: 1_000 } };
      const { log, advance, reopen } = await opens({
        ...roomy,
        idWindowMs: 60_000,
        topicsMax: 2,
        rules: [brief],
      });
      await log.append([{ topic: other, messageJson: '1' }]);
      const record = { topic: news, messageJson: '2', id: 'i' };
      const [first] = await log.append([record]);
      const [topic, all] = [
        await log.locate(news, { kind: 'earliest' }),
        await log.locate(everything, { kind: 'earliest' }),
      ];
      await advance(2_000);
      await log.declareTopic(parseTopic('new'));
      expect(await log.topicState(news)).toBeUndefined();
      expect((await log.read(news, topic.position, page)).dropped).toBe('unknown');
      expect((await log.read(everything, all.position, page)).dropped).toBe('unknown');
      const again = (await reopen?.()) ?? log;
      const recovered = async (interest: Interest, sequence: number): Promise<unknown> =>
        (await again.locate(interest, { kind: 'offset', offset: { epoch: again.epoch, sequence } }))
          .recovered;
      expect([await recovered(news, 1), await recovered(everything, 1)]).toEqual([false, false]);
      expect([await recovered(news, 2), await recovered(everything, 2)]).toEqual([true, true]);
      // There would be no space for it either.
      expect(await again.append([record])).toEqual([{ ...first, kind: 'duplicate' }]);
      expect(await again.append([{ ...record, messageJson: '3' }])).toEqual([{ kind: 'id_conflict' }]);
      expect(await again.topicState(news)).toBeUndefined();
    });

    it('a reader that resumes misses nothing of a forgotten name that never had a message', async () => {
      const { log } = await opens({ ...keeping('none'), topicsMax: 1 });
      const recovered = async (sequence: number): Promise<unknown> =>
        (await log.locate(everything, { kind: 'offset', offset: { epoch: log.epoch, sequence } })).recovered;
      const silent = parseTopic('silent');
      await create(log, silent);
      await create(log, other);
      await log.deleteTopic(other);
      expect(await recovered(0)).toBe(true);
      await log.append([{ topic: silent, messageJson: '1' }]);
      await create(log, other);
      await log.deleteTopic(other);
      expect(await recovered(0)).toBe(false);
    });

    it('a subject with too many unused names loses its own oldest ones', async () => {
      const { log, advance } = await opens({
        ...roomy,
        unusedPerSubjectMax: 2,
        isInUse: (topic) => topic === 'used',
      });
      const make = async (topic: string, subject?: string): Promise<unknown> =>
        create(log, parseTopic(topic), subject);
      for (const topic of ['ann 1', 'ann 2', 'used']) await make(topic, 'ann');
      for (const topic of ['bob 1', 'bob 2']) await make(topic, 'bob');
      for (const topic of ['nobody 1', 'nobody 2', 'nobody 3']) await make(topic);
      await advance(0);
      expect(await namesOf(log)).toHaveLength(8);
      log.noteUse(parseTopic('ann 1'));
      expect(await make('ann 3', 'ann')).toBe('created');
      await advance(0);
      await advance(0);
      const others = ['bob 1', 'bob 2', 'nobody 1', 'nobody 2', 'nobody 3', 'used'];
      expect(await namesOf(log)).toEqual(['ann 1', 'ann 3', ...others]);
      // A topic that is declared, or has a message, does not count.
      await log.declareTopic(parseTopic('ann 1'));
      await log.append([{ topic: parseTopic('ann 3'), messageJson: '1', subject: 'ann' }]);
      for (const topic of ['ann 4', 'ann 5', 'ann 6']) await make(topic, 'ann');
      await advance(0);
      await advance(0);
      expect(await namesOf(log)).toEqual(['ann 1', 'ann 3', 'ann 5', 'ann 6', ...others]);
    });

    it('after it is opened again, names are replaced in the order in which they were created', async () => {
      const isInUse = (topic: Topic): boolean => topic === news;
      const { log, reopen, isShared } = await opens({ ...roomy, topicsMax: 4, isInUse });
      const [b, a] = ['b', 'a'].map(parseTopic) as [Topic, Topic];
      for (const topic of [news, b, a]) await create(log, topic);
      await log.declareTopic(other);
      log.noteUse(b);
      const again = await reopen?.();
      if (!again) return;
      // It is in use again, and was the first. A shared log still knows that another one was used later.
      expect(await create(again, parseTopic('new'))).toBe('created');
      expect(await namesOf(again)).toEqual([isShared ? b : a, 'new', news, other]);
    });

    it('the log lists topics in the order of their names, whatever the names are', async () => {
      const { log } = await opens();
      const names = ['b', 'a', 'a/b', '__proto__', 'é', '😀', '\uFFFD', 'a b', 'constructor'].map(parseTopic);
      for (const topic of names) await create(log, topic);
      const sorted = names.toSorted((a, b) => (a < b ? -1 : 1));
      const all = await log.topics({ prefix: '', limit: 100 });
      expect(all.map(({ topic }) => topic)).toEqual(sorted);
      const listed: string[] = [];
      let isLast = false;
      const listNext = async (): Promise<void> => {
        const after = listed.at(-1);
        const some = await log.topics({ prefix: '', limit: 2, ...(after !== undefined && { after }) });
        isLast = some.length === 0;
        listed.push(...some.map(({ topic }) => topic));
      };
      await until('nothing comes after the last topic', () => isLast, {
        step: listNext,
        soFar: () => listed,
      });
      expect(listed).toEqual(sorted);
      expect(await log.topics({ prefix: 'a', after: 'a', limit: 9 })).toEqual([
        { topic: 'a b', messages: 0, published: 0 },
        { topic: 'a/b', messages: 0, published: 0 },
      ]);
    });

    it('the log still has its topics and their messages after it is opened again', async () => {
      const { log, reopen, startTime, isShared } = await opens();
      await create(log, news);
      await log.append([{ topic: other, messageJson: '1' }]);
      const { epoch } = log;
      const again = await reopen?.();
      if (!again) return;
      expect(await again.topics({ prefix: '', limit: 9 })).toEqual([
        { topic: 'news', messages: 0, published: 0 },
        {
          topic: 'other',
          messages: 1,
          last: { epoch, sequence: 1 },
          published: isShared ? 1 : 0,
          lastTime: startTime,
        },
      ]);
      expect(again.epoch).toBe(epoch);
      expect((await again.append([{ topic: news, messageJson: '2' }])).map(sequenceOf)).toEqual([2]);
    });
  });

  describe(`${name}: reading`, () => {
    it('the log reads from every kind of start position', async () => {
      const { log, advance, startTime } = await opens();
      for (const at of [1, 2, 3, 4]) {
        await log.append([
          { topic: news, messageJson: String(at) },
          { topic: other, messageJson: String(at * 10) },
        ]);
        await advance(100);
      }
      const offset = (sequence: number): From => ({ kind: 'offset', offset: { epoch: log.epoch, sequence } });
      expect(await readAll(log, news, { kind: 'new' })).toEqual([]);
      expect(await readAll(log, news, { kind: 'earliest' })).toEqual([1, 2, 3, 4]);
      expect(await readAll(log, news, { kind: 'last', count: 2 })).toEqual([3, 4]);
      expect(await readAll(log, news, { kind: 'time', ms: startTime + 101 })).toEqual([3, 4]);
      expect(await readAll(log, news, offset(3))).toEqual([3, 4]);
      expect(await readAll(log, everything, { kind: 'last', count: 1 })).toEqual([4, 40]);
      expect(await readAll(log, everything, { kind: 'time', ms: startTime + 200 })).toEqual([3, 30, 4, 40]);
      expect(await readAll(log, everything, offset(6))).toEqual([4, 40]);
      expect(await readAll(log, parseInterest('*/*'))).toEqual([]);
    });

    it('the log reports whether all messages after an offset are available', async () => {
      const { log } = await opens(keeping({ count: 2 }));
      await log.append([{ topic: other, messageJson: '0' }]);
      for (const at of [1, 2, 3]) await log.append([{ topic: news, messageJson: String(at) }]);
      const recovered = async (interest: Interest, sequence: number, epoch = log.epoch): Promise<unknown> =>
        (await log.locate(interest, { kind: 'offset', offset: { epoch, sequence } })).recovered;
      // The topic's first message, at 2, was dropped.
      expect([await recovered(news, 1), await recovered(news, 2), await recovered(news, 4)]).toEqual([
        false,
        true,
        true,
      ]);
      expect([await recovered(everything, 1), await recovered(everything, 2)]).toEqual([false, true]);
      expect(await recovered(other, 0)).toBe(true);
      expect(await recovered(parseTopic('none'), 0)).toBe(true);
      expect([await recovered(news, 5), await recovered(news, 4, 'another')]).toEqual([false, false]);
    });

    it('the log reports possible losses for topics that keep nothing, even after they were deleted', async () => {
      const { log } = await opens({ ...roomy, rules: [{ ...fallback, match: other, keep: 'none' }] });
      await log.append([{ topic: news, messageJson: '1' }]);
      const recovered = async (interest: Interest): Promise<unknown> =>
        (await log.locate(interest, { kind: 'offset', offset: { epoch: log.epoch, sequence: 1 } })).recovered;
      expect([await recovered(news), await recovered(other), await recovered(everything)]).toEqual([
        true,
        false,
        true,
      ]);
      await log.append([{ topic: other, messageJson: '2' }]);
      expect([await recovered(other), await recovered(everything)]).toEqual([false, false]);
      await log.deleteTopic(other);
      expect([await recovered(other), await recovered(everything)]).toEqual([false, false]);
    });

    it("the log counts the missed messages of a topic's reader, and reports possible losses to a pattern's reader", async () => {
      const { log } = await opens(keeping({ count: 2 }));
      const record = { topic: news, messageJson: '1' };
      await log.append([record]);
      const one = await log.locate(news, { kind: 'earliest' });
      const all = await log.locate(everything, { kind: 'earliest' });
      await log.append([record, record, record]);
      expect(await log.read(news, one.position, page)).toMatchObject({ dropped: 2, isAtHead: true });
      expect(await log.read(everything, all.position, page)).toMatchObject({ dropped: 'unknown' });
      const { position } = await log.read(news, one.position, { ...page, recordsMax: 1 });
      expect(await log.read(news, position, page)).toMatchObject({ dropped: 0, isAtHead: true });
    });

    it('the log reports to a reader that unread messages were deleted with their topic', async () => {
      const { log } = await opens();
      const record = { topic: news, messageJson: '1' };
      await log.append([record, record]);
      const interests = [news, everything];
      const starts = await Promise.all(
        interests.map((interest) => log.locate(interest, { kind: 'earliest' })),
      );
      const heads = await Promise.all(interests.map((interest) => log.locate(interest, { kind: 'new' })));
      await log.deleteTopic(news);
      await log.append([record]);
      for (const [at, interest] of interests.entries()) {
        const missed = await log.read(interest, starts[at]?.position ?? nowhere, page);
        expect(missed).toMatchObject({ dropped: 'unknown', records: [{ sequence: 3, ordinal: 1 }] });
        // A reader that had all of it before gets everything after it too.
        const had = await log.read(interest, heads[at]?.position ?? nowhere, page);
        expect(had).toMatchObject({ dropped: 0, records: [{ sequence: 3, ordinal: 1 }] });
      }
    });

    it('the log reports deletions only to readers of the deleted topics, however many there were', async () => {
      const under = await opens({ ...roomy, topicsMax: 10_000 });
      const offset = (sequence: number): From => ({
        kind: 'offset',
        offset: { epoch: under.log.epoch, sequence },
      });
      const others = ['orders/**', 'orders/2', 'never', 'answer/**', 'answers2'].map(parseInterest);
      const theirs = ['answers/**', 'answers/*', 'answers/7', '**', '*/7'].map(parseInterest);
      const readers = await Promise.all(
        [...others, ...theirs].map(async (interest) => {
          const { position } = await under.log.locate(interest, { kind: 'new' });
          return { interest, position };
        }),
      );
      await under.log.append([{ topic: parseTopic('orders/1'), messageJson: '1' }]);
      for (let round = 0; round < 3; round++) {
        const answers = Array.from({ length: 1_005 }, (_, at) => parseTopic(`answers/${at}`));
        await under.log.append(answers.map((topic) => ({ topic, messageJson: '1' })));
        await Promise.all(answers.map((topic) => under.log.deleteTopic(topic)));
      }
      for (const { interest, position } of readers) {
        const { dropped } = await under.log.read(interest, position, page);
        expect([interest, dropped]).toEqual([interest, others.includes(interest) ? 0 : 'unknown']);
      }
      const expectRecovered = async (log: TopicLog): Promise<void> => {
        for (const interest of [...others, ...theirs]) {
          const { recovered } = await log.locate(interest, offset(1));
          expect([interest, recovered]).toEqual([interest, others.includes(interest)]);
          expect(await log.locate(interest, offset(log.head))).toMatchObject({ recovered: true });
        }
      };
      await under.settled?.();
      await expectRecovered(under.log);
      const again = await under.reopen?.();
      if (again) await expectRecovered(again);
    });

    it('a reader misses nothing of a deleted topic that had nothing left when reading started', async () => {
      const brief: Rule = { ...fallback, match: news, keep: { ...keep, ageMs: 1_000 } };
      const { log, advance } = await opens({ ...roomy, rules: [brief] });
      await log.append([
        { topic: other, messageJson: '1' },
        { topic: news, messageJson: '2' },
      ]);
      const before = await log.locate(everything, { kind: 'earliest' });
      await advance(2_000);
      const after = await log.locate(everything, { kind: 'earliest' });
      await log.deleteTopic(news);
      const dropped = [];
      for (const { position } of [before, after]) {
        dropped.push((await log.read(everything, position, page)).dropped);
      }
      expect(dropped).toEqual(['unknown', 0]);
    });

    it('the log returns only the newest messages of each topic that matches a pattern, and all later ones', async () => {
      const { log } = await opens(keeping({ count: 4 }));
      const append = async (topic: typeof news, ...messages: number[]): Promise<unknown> =>
        log.append(messages.map((message) => ({ topic, messageJson: String(message) })));
      await append(other, 1);
      await append(news, 10, 20, 30, 40);
      const { position, due } = await log.locate(everything, { kind: 'last', count: 1 });
      expect(due).toBe(2);
      // Retention now drops only messages that the reader did not request.
      await append(news, 50, 60);
      const { records, dropped } = await log.read(everything, position, page);
      expect(records.map(({ messageJson }) => messageJson)).toEqual(['1', '40', '50', '60']);
      expect(dropped).toBe(0);
    });

    it('the log reports possible losses if all messages after an offset were too old', async () => {
      const { log, advance } = await opens(keeping({ ageMs: 1_000 }));
      await log.append([{ topic: news, messageJson: '1' }]);
      await advance(2_000);
      for (const interest of [news, everything]) {
        const offset = (sequence: number): From => ({
          kind: 'offset',
          offset: { epoch: log.epoch, sequence },
        });
        expect(await log.locate(interest, offset(0))).toMatchObject({ recovered: false, due: 0 });
        expect(await log.locate(interest, offset(1))).toMatchObject({ recovered: true, due: 0 });
      }
    });

    it('the log keeps the newest message of a topic, however large it is', async () => {
      const { log, advance } = await opens(keeping({ bytes: 5 }));
      for (const messageJson of ['"large enough"', '"larger still"', '"the newest"']) {
        await log.append([{ topic: news, messageJson }]);
      }
      await advance(0);
      expect(await readAll(log, news)).toEqual(['the newest']);
    });

    it('the log drops messages that are too old, even the newest', async () => {
      const { log, advance } = await opens(keeping({ ageMs: 1_000 }));
      await log.append([{ topic: news, messageJson: '1' }]);
      await advance(600);
      await log.append([{ topic: news, messageJson: '2' }]);
      await advance(400);
      expect(await readAll(log, news)).toEqual([1, 2]);
      await advance(1);
      expect(await readAll(log, news)).toEqual([2]);
      await advance(10_000);
      expect(await readAll(log, news)).toEqual([]);
      expect(await log.topicState(news)).toMatchObject({ topic: 'news', messages: 0, last: { sequence: 2 } });
    });

    it('the log reads a topic backward from a sequence, page by page', async () => {
      const { log } = await opens(keeping({ count: 4 }));
      for (const at of [1, 2, 3]) {
        await log.append([
          { topic: other, messageJson: String(at * 10) },
          { topic: news, messageJson: String(at * 10 + 1) },
          { topic: news, messageJson: String(at * 10 + 2) },
        ]);
      }
      const before = async (sequence: number, recordsMax: number): Promise<unknown> => {
        const { records, isAtStart } = await log.readBefore(
          news,
          { epoch: log.epoch, sequence },
          { recordsMax, bytesMax: 1_000 },
        );
        return [records.map(({ sequence: at, messageJson }) => `${at}: ${messageJson}`), isAtStart];
      };
      expect(await before(10, 2)).toEqual([['8: 31', '9: 32'], false]);
      expect(await before(1_000, 1)).toEqual([['9: 32'], false]);
      expect(await before(8, 2)).toEqual([['5: 21', '6: 22'], true]);
      expect(await before(9, 9)).toEqual([['5: 21', '6: 22', '8: 31'], true]);
      for (const sequence of [5, 4, 1, 0, -1]) expect(await before(sequence, 9)).toEqual([[], true]);
    });

    it('the log fills a page up to its limits, and with at least one message', async () => {
      const { log } = await opens();
      await log.append(['"ééé"', '1', '2', '3'].map((messageJson) => ({ topic: news, messageJson })));
      for (const interest of [news, everything]) {
        const { position } = await log.locate(interest, { kind: 'earliest' });
        const sizes = [
          { recordsMax: 2, bytesMax: 100 },
          { recordsMax: 9, bytesMax: 1 },
          { recordsMax: 9, bytesMax: 9 },
          { recordsMax: 9, bytesMax: 100 },
        ];
        const counts = [];
        for (const limit of sizes) counts.push((await log.read(interest, position, limit)).records.length);
        expect(counts).toEqual([2, 1, 2, 4]);
      }
    });
  });

  it(`${name}: agrees with a plain model after any operations in any order`, async () => {
    await fc.assert(
      fc.asyncProperty(steps, (all) => agreesWithModel(open, all)),
      { numRuns: runs },
    );
  });
}

function sequenceOf(outcome: AppendOutcome): number | undefined {
  return 'sequence' in outcome ? outcome.sequence : undefined;
}

async function namesOf(log: TopicLog): Promise<string[]> {
  return (await log.topics({ prefix: '', limit: 100 })).map(({ topic }) => topic);
}

/** Reads all messages, in small pages. */
async function readAll(
  log: TopicLog,
  interest: Interest,
  from: From = { kind: 'earliest' },
): Promise<unknown[]> {
  let { position } = await log.locate(interest, from);
  const messages: unknown[] = [];
  for (let isAtHead = false; !isAtHead;) {
    const read = await log.read(interest, position, { recordsMax: 2, bytesMax: 100 });
    expect(read.dropped).toBe(0);
    messages.push(...read.records.map(({ messageJson }) => JSON.parse(messageJson) as unknown));
    ({ position, isAtHead } = read);
  }
  return messages;
}
