import {
  isPattern,
  parseInterest,
  parseTopic,
  type From,
  type Interest,
  type Topic,
} from '@fanfare/protocol';
import fc from 'fast-check';
import { expect } from 'vitest';
import type {
  AppendOutcome,
  LogRecord,
  NewRecord,
  PageLimit,
  Position,
  TopicCreation,
  TopicLog,
} from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';
import type { LogUnderTest, OpenLog } from './log-under-test.ts';
import { ModelLog, type ModelMessage, type ModelReader } from './model-log.ts';
import { appendOne, create } from './log-under-test.ts';

const topics = ['a', 'b', 'x/a', 'x/b', 'x/y/c', 'x/n', 'n', 'p/a', 'p/n'].map(parseTopic);
const interests = [...topics, ...['*', '**', 'x/*', 'x/**', '*/a', 'none/*'].map(parseInterest)];

const roomy = { count: 1_000, ageMs: Infinity, bytes: Infinity };
const usual = { create: 'subscribe', publishBytesMax: 20 } as const;

const rules: readonly Rule[] = [
  { ...usual, match: parseInterest('a'), keep: { ...roomy, count: 3 } },
  { ...usual, match: parseInterest('b'), keep: { ...roomy, count: 1 } },
  { ...usual, match: parseInterest('x/a'), keep: { ...roomy, bytes: 12 } },
  { ...usual, match: parseInterest('x/b'), keep: { ...roomy, ageMs: 1_000 } },
  { ...usual, match: parseInterest('x/n'), keep: 'none' },
  { ...usual, match: parseInterest('n'), keep: 'none' },
  { ...usual, match: parseInterest('p/a'), keep: { ...roomy, count: 2, bytes: 20 }, create: 'publish' },
  { ...usual, match: parseInterest('p/n'), keep: 'none', create: 'publish' },
];
const fallback: Rule = { ...usual, match: parseInterest('**'), keep: roomy };

const options = { rules, fallback, topicsMax: 7, idWindowMs: 1_000, idsMax: 10_000, unusedPerSubjectMax: 2 };

const subjects = [undefined, 'ann', 'bob'];

type Step =
  | { readonly do: 'append'; readonly batches: readonly (readonly NewRecord[])[] }
  | {
      readonly do: 'create';
      readonly topic: Topic;
      readonly isDeclared: boolean;
      readonly subject: string | undefined;
    }
  | { readonly do: 'subscribe'; readonly topic: Topic; readonly subject: string | undefined }
  | { readonly do: 'leave'; readonly topic: Topic }
  | { readonly do: 'delete'; readonly topic: Topic }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'locate'; readonly interest: Interest; readonly from: FromChoice }
  | { readonly do: 'read'; readonly reader: number; readonly limit: PageLimit }
  | { readonly do: 'finish'; readonly reader: number; readonly limit: PageLimit }
  | {
      readonly do: 'list';
      readonly prefix: string;
      readonly after: string | undefined;
      readonly limit: number;
    }
  | { readonly do: 'read back'; readonly topic: Topic; readonly back: number; readonly limit: PageLimit }
  | { readonly do: 'reopen' };

/** A start, before the content of the log is known: sequences and times are relative to what was appended. */
interface FromChoice {
  readonly kind: From['kind'];
  readonly count: number;
  readonly back: number;
  readonly isForeign: boolean;
}

const newRecord = fc.record(
  {
    topic: fc.constantFrom(...topics),
    messageJson: fc.oneof(
      fc.constantFrom('1', '22', '"é"', '"twelve byte"', '"much too large to be taken"'),
      fc.nat().map(String),
    ),
    id: fc.constantFrom('i', 'j'),
    subject: fc.constantFrom('ann', 'bob'),
  },
  { requiredKeys: ['topic', 'messageJson'] },
);

const limit = fc.record({
  recordsMax: fc.integer({ min: 1, max: 5 }),
  bytesMax: fc.integer({ min: 1, max: 40 }),
});

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      batches: fc.array(fc.array(newRecord, { maxLength: 6 }), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('create' as const),
      topic: fc.constantFrom(...topics),
      isDeclared: fc.integer({ min: 0, max: 4 }).map((chance) => chance === 0),
      subject: fc.constantFrom(...subjects),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      topic: fc.constantFrom(...topics),
      subject: fc.constantFrom(...subjects),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('leave' as const), topic: fc.constantFrom(...topics) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('delete' as const), topic: fc.constantFrom(...topics) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.constantFrom(-500, 1, 400, 600, 3_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('locate' as const),
      interest: fc.constantFrom(...interests),
      from: fc.record({
        kind: fc.constantFrom('new', 'earliest', 'last', 'time', 'offset', 'offset'),
        count: fc.nat(3),
        back: fc.integer({ min: -2, max: 12 }),
        isForeign: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
      }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), reader: fc.nat(), limit }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('finish' as const), reader: fc.nat(), limit }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('list' as const),
      prefix: fc.constantFrom('', 'x', 'x/', 'p/a', 'zz'),
      after: fc.constantFrom(undefined, '', 'a', 'x/a', 'x/b0', 'zz'),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('read back' as const),
      topic: fc.constantFrom(...topics),
      back: fc.integer({ min: -2, max: 12 }),
      limit,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'reopen' as const }) },
);

const atFirst: readonly Step[] = topics
  .slice(0, 6)
  .map((topic, at) => ({ do: 'create', topic, isDeclared: at % 3 === 1, subject: undefined }));

/** Steps that use everything a log can do, in any order. */
export const steps: fc.Arbitrary<readonly Step[]> = fc
  .array(anyStep, { minLength: 1, maxLength: 60, size: 'max' })
  .map((some) => atFirst.concat(some));

/** Runs the steps with a log and with the model, and compares the results. */
export async function agreesWithModel(open: OpenLog, all: readonly Step[]): Promise<void> {
  const model = new ModelLog(options);
  const under = await open({ ...options, isInUse: (topic) => model.isInUse(topic) });
  try {
    const run = new Run(under, model);
    for (const one of all) await run.step(one);
    await run.end();
  } finally {
    await under.close();
  }
}

/** A reader, in the log and in the model. */
interface Reader extends ModelReader {
  position: Position;
}

class Run {
  readonly #under: LogUnderTest;
  readonly #model: ModelLog;
  readonly #tail: LogRecord[] = [];
  /** How many records of the tail were compared. */
  #compared = 0;
  #log: TopicLog;
  #now = 0;
  /** The latest time that the clock ever showed. */
  #latest = 0;
  #head = 0;
  #readers: Reader[] = [];

  constructor(under: LogUnderTest, model: ModelLog) {
    this.#under = under;
    this.#model = model;
    this.#model.level = under.level;
    this.#model.epoch = under.log.epoch;
    this.#model.isShared = under.isShared ?? false;
    this.#log = under.log;
    this.#listen();
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'append':
        await this.#append(step.batches);
        break;
      case 'create':
        await this.#create(step.topic, step.isDeclared, step.subject);
        break;
      case 'subscribe':
        this.#model.use(step.topic, true);
        if ((await this.#create(step.topic, false, step.subject)) === 'topics_exhausted')
          await this.#leave(step.topic);
        break;
      case 'leave':
        await this.#leave(step.topic);
        break;
      case 'delete':
        expect(await this.#log.deleteTopic(step.topic)).toBe(this.#model.delete(step.topic));
        break;
      case 'advance':
        await this.#settle(step.ms);
        break;
      case 'locate':
        await this.#locate(step.interest, step.from);
        break;
      case 'read':
        await this.#read(this.#readers.at(step.reader % Math.max(1, this.#readers.length)), step.limit);
        break;
      case 'finish':
        await this.#finish(this.#readers.at(step.reader % Math.max(1, this.#readers.length)), step.limit);
        break;
      case 'list':
        await this.#list(step.prefix, step.after, step.limit);
        break;
      case 'read back':
        await this.#readBack(step.topic, this.#log.head - step.back, step.limit);
        break;
      case 'reopen':
        await this.#reopen();
    }
    this.#compareTail();
  }

  /** Reads everything, for every reader. */
  async end(): Promise<void> {
    await this.#settle(0);
    for (const interest of interests) {
      await this.#locate(interest, { kind: 'earliest', count: 0, back: 0, isForeign: false });
    }
    for (const reader of this.#readers) await this.#finish(reader, { recordsMax: 3, bytesMax: 1_000 });
    await this.#list('', undefined, 100);
  }

  async #append(batches: readonly (readonly NewRecord[])[]): Promise<void> {
    const answers = await Promise.all(batches.map((batch) => appendBatch(this.#log, batch)));
    const expected = batches.map((batch, at) =>
      batch.map((record, index) => this.#model.append(record, answers[at]?.[index])),
    );
    expect(answers).toEqual(expected);
    await this.#settle(0);
  }

  async #create(topic: Topic, isDeclared: boolean, subject: string | undefined): Promise<TopicCreation> {
    const creation = await (isDeclared ? this.#log.declareTopic(topic) : create(this.#log, topic, subject));
    expect(creation).toBe(this.#model.create(topic, isDeclared, subject));
    await this.#settle(0);
    return creation;
  }

  async #leave(topic: Topic): Promise<void> {
    this.#model.use(topic, false);
    this.#log.noteUse(topic);
    await this.#settle(0);
  }

  async #settle(ms: number): Promise<void> {
    this.#now += ms;
    this.#latest = Math.max(this.#latest, this.#now);
    await this.#under.settled?.();
    await this.#under.advance(ms);
    this.#model.retain(this.#under.startTime + this.#now);
  }

  async #locate(interest: Interest, choice: FromChoice): Promise<void> {
    const { epoch } = this.#log;
    const from = this.#fromOf(choice);
    const { pending, recovered } = this.#model.locate(interest, from, epoch);
    if (!isPattern(interest)) this.#model.noteUse(interest);
    const { position, ...start } = await this.#log.locate(interest, from);
    expect(start).toEqual({ due: pending.length, ...(recovered !== undefined && { recovered }) });
    const reader = { interest, pending: [...pending], position };
    this.#readers.push(reader);
    this.#model.readers.push(reader);
  }

  #fromOf({ kind, count, back, isForeign }: FromChoice): From {
    const sequence = Math.max(0, this.#log.head - back);
    switch (kind) {
      case 'new':
      case 'earliest':
        return { kind };
      case 'last':
        return { kind, count };
      case 'time':
        return { kind, ms: this.#model.tail.at(-Math.max(1, back))?.time ?? 0 };
      case 'offset':
        return { kind, offset: { epoch: isForeign ? 'other' : this.#log.epoch, sequence } };
    }
  }

  /** @returns whether there is more */
  async #read(reader: Reader | undefined, pageLimit: PageLimit): Promise<boolean> {
    if (!reader) return false;
    const expected = this.#model.page(reader, pageLimit);
    const dropped = this.#model.dropped(reader);
    const page = await this.#log.read(reader.interest, reader.position, pageLimit);
    expect(page.dropped).toBe(dropped);
    expect(page.records).toEqual(expected.slice(0, page.records.length).map(recordOf));
    reader.pending = reader.pending.filter(({ isKept }) => isKept).slice(page.records.length);
    reader.position = page.position;
    if (page.isAtHead) {
      expect(reader.pending).toEqual([]);
      expect(page.position.sequence).toBe(this.#log.head);
    }
    return !page.isAtHead;
  }

  async #finish(reader: Reader | undefined, pageLimit: PageLimit): Promise<void> {
    for (let pages = 0; pages < 1_000; pages++) if (!(await this.#read(reader, pageLimit))) return;
    throw new Error('the reader has not got to the head after 1,000 pages');
  }

  async #readBack(topic: Topic, sequence: number, pageLimit: PageLimit): Promise<boolean> {
    const { records, isAtStart } = this.#model.before(topic, sequence, pageLimit);
    this.#model.noteUse(topic);
    const page = await this.#log.readBefore(topic, { epoch: this.#log.epoch, sequence }, pageLimit);
    expect(page).toEqual({ records: records.map(recordOf), isAtStart });
    return !isAtStart;
  }

  async #list(prefix: string, after: string | undefined, count: number): Promise<void> {
    const query = { prefix, limit: count, ...(after !== undefined && { after }) };
    expect(await this.#log.topics(query)).toEqual(this.#model.list(prefix, after, count));
    for (const topic of topics) {
      expect(await this.#log.topicState(topic)).toEqual(this.#model.stateOf(topic));
    }
  }

  async #reopen(): Promise<void> {
    if (!this.#under.reopen) return;
    const { epoch, head } = this.#log;
    this.#model.abandon();
    this.#log = await this.#under.reopen();
    this.#listen();
    this.#readers = [];
    this.#model.reopen();
    if (head > 0) expect(this.#log.epoch).toBe(epoch);
    expect(this.#log.head).toBe(head);
    // Otherwise the log could choose the time.
    await this.#settle(this.#latest - this.#now);
  }

  #listen(): void {
    const fail = (): never => {
      throw new Error('the tail missed records');
    };
    const onRecords = (records: readonly LogRecord[]): void => {
      this.#tail.push(...records);
      expect(this.#log.head).toBe(records.at(-1)?.sequence);
    };
    this.#log.tail({ onRecords, onMissed: fail, onBehind: fail });
  }

  #compareTail(): void {
    expect(this.#tail.slice(this.#compared)).toEqual(this.#model.tail.slice(this.#compared));
    this.#compared = this.#tail.length;
    expect(this.#log.head).toBe(this.#model.head);
    expect(this.#log.head).toBeGreaterThanOrEqual(this.#head);
    this.#head = this.#log.head;
  }
}

function recordOf({ isKept: _kept, isDeleted: _deleted, ...record }: ModelMessage): LogRecord {
  return record;
}

/** A record alone is appended without a promise of the log. */
async function appendBatch(log: TopicLog, batch: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
  const [first] = batch;
  return first && batch.length === 1 ? [await appendOne(log, first)] : log.append(batch);
}
