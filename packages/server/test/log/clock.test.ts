import { join } from 'node:path';
import { parseInterest, parseTopic, type From, type Interest, type Topic } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import type { ClockEvent } from '../../src/log/local/log-clock.ts';
import { openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import type { AppendOutcome, TopicLog } from '../../src/log/topic-log.ts';
import type { Rule } from '../../src/rules/rule.ts';
import type { LogOptions } from '../contracts/log-under-test.ts';
import { Fixture } from './fixtures.ts';
import { openOver, type LocalLogUnderTest } from './open-local-log.ts';
import { SteeredStore } from './steered-store.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

/** A day in 2026. */
const start = 1_790_000_000_000;

const news = parseTopic('news');
const other = parseTopic('other');
const everything = parseInterest('**');

const rule: Rule = {
  match: everything,
  keep: { count: 1_000, ageMs: 7 * day, bytes: Infinity },
  create: 'publish',
  publishBytesMax: 1_000,
};
const options = { rules: [], fallback: rule, topicsMax: 100, idWindowMs: 10 * minute, idsMax: 4 };

/** A log on disk, whose server can be restarted, and its clock. */
class World {
  readonly #directory: string;
  readonly #options: LogOptions;
  #under: LocalLogUnderTest | undefined;
  /** The clock events since the last start. */
  events: ClockEvent[] = [];
  #now: number;
  #published = 0;

  constructor(now = start, directory = join(temporaryDirectory(), 'data'), more: Partial<LogOptions> = {}) {
    this.#now = now;
    this.#directory = directory;
    this.#options = { ...options, ...more };
    onTestFinished(() => this.stop());
  }

  get log(): TopicLog {
    if (!this.#under) throw new Error('not started');
    return this.#under.log;
  }

  /** @param clock - the error of the clock from now on */
  async startServer(clock = 0): Promise<void> {
    this.#now += clock;
    this.events = [];
    this.#under = openOver(await openLmdbStore(this.#directory), this.#options, {
      now: () => this.#now,
      onClockEvent: (event) => this.events.push(event),
    });
    await this.#under.advance(0);
  }

  async stop(): Promise<void> {
    await this.#under?.close();
    this.#under = undefined;
  }

  /** Sets the clock. */
  async set(by: number): Promise<void> {
    this.#now += by;
    await this.#under?.advance(0);
  }

  /** Lets time pass, while the log samples the clock. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 30 * second) {
      this.#now += Math.min(left, 30 * second);
      await this.#under?.advance(0);
    }
  }

  async publish(id?: string, topic: Topic = news): Promise<AppendOutcome> {
    const messageJson = id === undefined ? String(++this.#published) : '"with an id"';
    const [outcome] = await this.log.append([{ topic, messageJson, ...(id !== undefined && { id }) }]);
    if (!outcome) throw new Error('no outcome');
    return outcome;
  }

  /** The timestamp of a message that is published now, in milliseconds since the start. */
  async stamp(): Promise<number> {
    const outcome = await this.publish();
    return 'time' in outcome ? outcome.time - start : Number.NaN;
  }

  async read(from: From = { kind: 'earliest' }, interest: Interest = news): Promise<readonly number[]> {
    const { position } = await this.log.locate(interest, from);
    const { records } = await this.log.read(interest, position, { recordsMax: 1_000, bytesMax: 1e6 });
    return records.map(({ messageJson }) => Number(messageJson));
  }

  /** Reads from a time, in milliseconds since the start. */
  async readSince(ms: number): Promise<readonly number[]> {
    const from: From = { kind: 'time', ms: start + ms };
    const all = await this.read(from);
    expect(await this.read(from, everything)).toEqual(all);
    return all;
  }
}

describe('a clock that is ahead once', () => {
  it.each([
    ['a start with the year 2099', 73 * year],
    ['a start that is an hour ahead', hour],
  ])(
    'a clock that was ahead once does not change the timestamps of later messages: %s',
    async (_what, ahead) => {
      const world = new World();
      await world.startServer(ahead);
      expect(await world.stamp()).toBe(ahead);
      await world.stop();
      await world.startServer(-ahead);
      await world.pass(minute);
      expect(await world.stamp()).toBe(minute);
    },
  );

  it('a clock that is ahead does not change the timestamps of later messages once it is set right while the server runs', async () => {
    const world = new World();
    await world.startServer();
    await world.publish();
    await world.set(year);
    expect(await world.stamp()).toBe(year);
    await world.set(-year);
    await world.pass(5 * second);
    expect(await world.stamp()).toBe(5 * second);
  });

  it.each(['while the server runs', 'from one start to the next'])(
    'the log deletes nothing while its clock is a year ahead for 15 seconds: %s',
    async (when) => {
      const world = new World();
      await world.startServer();
      for (let at = 0; at < 3; at++) await world.publish();
      if (when === 'while the server runs') {
        await world.set(year);
        await world.pass(15 * second);
        await world.publish();
        await world.set(-year);
      } else {
        await world.stop();
        await world.startServer(year);
        await world.pass(15 * second);
        await world.publish();
        await world.stop();
        await world.startServer(-year);
      }
      await world.pass(2 * hour);
      expect(await world.read()).toEqual([1, 2, 3, 4]);
    },
  );

  it('the log deletes nothing when the server restarts repeatedly with a clock ahead, each time for less than an hour', async () => {
    const world = new World();
    await world.startServer();
    await world.publish();
    await world.stop();
    await world.startServer(year);
    for (let at = 0; at < 5; at++) {
      await world.pass(50 * minute);
      await world.publish();
      await world.stop();
      await world.startServer();
    }
    expect(await world.read()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('messages from a clock that was ahead are dropped at their age, counted from when the clock was set right', async () => {
    const world = new World(start + 73 * year);
    await world.startServer();
    await world.publish();
    await world.stop();
    await world.startServer(-73 * year);
    await world.publish();
    await world.pass(hour);
    await world.stop();
    await world.startServer();
    await world.set(6 * day);
    await world.pass(2 * hour);
    expect(await world.read()).toEqual([1, 2]);
    await world.set(day);
    await world.pass(2 * hour);
    expect(await world.read()).toEqual([]);
  });

  it('ids from a clock that was ahead are forgotten after the window, so that there is space for others', async () => {
    const world = new World(start + 73 * year);
    await world.startServer();
    for (let at = 0; at < 4; at++) await world.publish(`ahead ${at}`);
    await world.stop();
    await world.startServer(-73 * year);
    expect(await world.publish('ahead 1')).toMatchObject({ kind: 'duplicate' });
    expect(await world.publish('another')).toMatchObject({ kind: 'ids_exhausted' });
    await world.pass(21 * minute);
    expect(await world.publish('another')).toMatchObject({ kind: 'appended' });
    await world.stop();
    await world.startServer();
    expect(await world.publish('yet another')).toMatchObject({ kind: 'appended' });
  });

  it('ids from before the clock was ahead are kept for the whole window', async () => {
    const world = new World();
    await world.startServer();
    await world.publish('a');
    await world.set(year);
    expect(await world.publish('a')).toMatchObject({ kind: 'duplicate' });
    await world.stop();
    await world.startServer();
    expect(await world.publish('a')).toMatchObject({ kind: 'duplicate' });
    await world.set(-year);
    await world.pass(5 * minute);
    expect(await world.publish('a')).toMatchObject({ kind: 'duplicate' });
  });

  it('reading from a time starts at the right message although the clock was ahead', async () => {
    const world = new World();
    await world.startServer();
    for (let at = 0; at < 3; at++) {
      await world.publish();
      await world.pass(minute);
    }
    await world.set(year);
    await world.publish();
    await world.set(-year);
    await world.pass(minute);
    for (let at = 0; at < 3; at++) {
      await world.publish();
      await world.pass(minute);
    }
    expect(await world.readSince(-minute)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await world.readSince(minute)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(await world.readSince(4 * minute)).toEqual([5, 6, 7]);
    expect(await world.readSince(5 * minute)).toEqual([6, 7]);
    expect(await world.readSince(6 * minute + 1)).toEqual([]);
  });
});

describe('a server that was off for a long time', () => {
  it('after a long stop, messages are dropped once the clock has been right for an hour, and not before', async () => {
    const world = new World();
    await world.startServer();
    await world.publish();
    await world.stop();
    await world.startServer(year);
    await world.publish();
    await world.pass(59 * minute);
    expect(await world.read()).toEqual([1, 2]);
    await world.pass(2 * minute);
    expect(await world.read()).toEqual([2]);
    await world.pass(7 * day);
    expect(await world.read()).toEqual([]);
  });
});

describe('a clock on trial', () => {
  it('the clock on trial counts the ages of messages since its jump, and of no others', async () => {
    const brief: Rule = {
      ...rule,
      match: other,
      keep: { count: 1_000, ageMs: 10 * minute, bytes: Infinity },
    };
    const world = new World(start, undefined, { rules: [brief] });
    await world.startServer();
    await world.publish(undefined, other);
    await world.set(year);
    await world.pass(9 * minute);
    await world.publish(undefined, other);
    await world.set(year);
    await world.pass(minute);
    await world.publish(undefined, other);
    const read = (): Promise<readonly number[]> => world.read({ kind: 'earliest' }, other);
    expect(await read()).toEqual([1, 2, 3]);
    await world.pass(second);
    expect(await read()).toEqual([2, 3]);
    // The log knows that the second message came before the newest jump, but not how long before.
    await world.pass(20 * minute);
    expect(await read()).toEqual([2, 3]);
    await world.publish(undefined, news);
    await world.pass(40 * minute);
    expect(await read()).toEqual([]);
  });
});

describe('a clock that is behind', () => {
  it.each([
    ['since 1970', -start + hour],
    ['by a year', -year],
  ])(
    'the log deletes nothing while its clock is behind, nor after it is set right: %s',
    async (_what, behind) => {
      const world = new World();
      await world.startServer();
      await world.publish();
      await world.stop();
      await world.startServer(behind);
      await world.publish();
      await world.publish(undefined, other);
      await world.pass(2 * hour);
      await world.publish();
      await world.set(-behind);
      await world.publish();
      await world.pass(2 * hour);
      expect(await world.read()).toEqual([1, 2, 4, 5]);
      expect(await world.read({ kind: 'earliest' }, other)).toEqual([3]);
      await world.pass(8 * day);
      expect(await world.read()).toEqual([]);
      expect(await world.read({ kind: 'earliest' }, other)).toEqual([]);
    },
  );
});

describe('a store in which an earlier version has stopped the time in the year 2099', () => {
  const fixture = new Fixture('format-1/ahead');
  const { takenAt, kept, ids } = fixture.content;
  const [week, keptTopic] = ['week', 'kept'].map(parseTopic) as [Topic, Topic];
  const forGood: Rule = {
    ...rule,
    match: keptTopic,
    keep: { count: 1_000, ageMs: Infinity, bytes: Infinity },
  };

  async function opened(): Promise<World> {
    const world = new World(takenAt, fixture.unpack(), { rules: [forGood], idsMax: 1_000 });
    await world.startServer();
    return world;
  }

  it('a store whose time stopped in 2099 keeps all messages, and stamps new ones by the clock', async () => {
    const world = await opened();
    expect(world.events).toMatchObject([{ kind: 'set_back', after: takenAt }]);
    const before = await world.read({ kind: 'earliest' }, everything);
    expect(before).toHaveLength(kept.length);
    expect(await world.stamp()).toBe(takenAt - start);
    const since = { kind: 'time' as const, ms: takenAt };
    expect(await world.read(since, everything)).toEqual([...before.slice(4), 1]);
    expect(await world.read({ ...since, ms: takenAt + 1 }, everything)).toEqual([]);
  });

  it('messages from the future are dropped at their age, counted from when the clock was found to be right', async () => {
    const world = await opened();
    await world.pass(hour);
    await world.set(7 * day - 2 * hour);
    await world.pass(59 * minute);
    expect(await world.read({ kind: 'earliest' }, week)).toHaveLength(8);
    await world.pass(2 * hour);
    expect(await world.read({ kind: 'earliest' }, week)).toHaveLength(0);
    expect(await world.read({ kind: 'earliest' }, keptTopic)).toHaveLength(12);
  });

  it('ids in a store whose time stopped in 2099 count for the window, and no longer', async () => {
    const world = await opened();
    const records = ids.slice(-4).map(({ topic, messageJson, id }) => {
      return { topic: parseTopic(topic), messageJson, id };
    });
    const kinds = async (): Promise<readonly string[]> =>
      (await world.log.append(records)).map(({ kind }) => kind);
    expect(await kinds()).toEqual(Array(4).fill('duplicate'));
    await world.pass(21 * minute);
    expect(await kinds()).toEqual(Array(4).fill('appended'));
  });
});

describe('log entries about the clock', () => {
  it('the log reports a jump of the clock, and when it is trusted again after an hour or after it is set right', async () => {
    const world = new World();
    await world.startServer();
    await world.publish();
    await world.set(year);
    expect(world.events).toEqual([{ kind: 'jumped', byMs: year }]);
    await world.pass(hour);
    expect(world.events).toEqual([{ kind: 'jumped', byMs: year }, { kind: 'trusted' }]);
    await world.set(day);
    await world.set(-day);
    expect(world.events.slice(2)).toEqual([{ kind: 'jumped', byMs: day }, { kind: 'trusted' }]);
  });

  it('the log reports at its start that the clock has jumped since the last one', async () => {
    const world = new World();
    await world.startServer();
    await world.publish();
    await world.stop();
    await world.startServer(10 * day);
    expect(world.events).toEqual([{ kind: 'jumped', byMs: 10 * day }]);
  });

  it('the log reports, at a start or later, that the clock was set back to before the newest timestamp', async () => {
    const world = new World();
    await world.startServer();
    await world.publish();
    await world.stop();
    await world.startServer(-hour);
    const setBack = { kind: 'set_back', before: start, after: start - hour };
    expect(world.events).toEqual([setBack]);
    await world.publish();
    await world.set(-hour);
    await world.pass(minute);
    expect(world.events.slice(1)).toEqual([
      { kind: 'set_back', before: start - hour, after: start - 2 * hour },
    ]);
  });

  it('the log reports no clock event when a server is restarted after being idle', async () => {
    const world = new World();
    await world.startServer();
    await world.publish();
    await world.pass(3 * hour);
    await world.stop();
    await world.startServer(minute);
    expect(world.events).toEqual([]);
  });

  it('the log reports no clock event when one commit takes minutes', async () => {
    const events: ClockEvent[] = [];
    let now = start;
    const store = new SteeredStore();
    const { log, close } = openOver(store, options, {
      now: () => now,
      onClockEvent: (event) => events.push(event),
    });
    const held = store.hold('late');
    const appending = log.append([{ topic: news, messageJson: '1' }]);
    const { succeed } = await held;
    for (let seconds = 0; seconds < 300; seconds += 10) {
      now += 10 * second;
      vi.advanceTimersByTime(second);
    }
    succeed();
    await appending;
    await log.append([{ topic: news, messageJson: '2' }]);
    expect(events).toEqual([]);
    await close();
  });

  it('the log reports no clock event when the clock is set by a minute or less', async () => {
    const world = new World();
    await world.startServer();
    await world.publish();
    for (const by of [minute, -minute, 1, -1]) {
      await world.set(by);
      await world.publish();
    }
    expect(world.events).toEqual([]);
  });
});

/** The steps of a generated run. */
type ClockStepOf = { readonly publish: Topic } | { readonly set: number } | { readonly pass: number };

const jump = fc.constantFrom(2 * minute, hour, 3 * day, 400 * day, 1, 30 * second, minute);
const anyStep: fc.Arbitrary<ClockStepOf> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ publish: fc.constantFrom(news, other) }) },
  {
    weight: 3,
    arbitrary: fc.record({ set: fc.tuple(jump, fc.constantFrom(-1, 1)).map(([by, way]) => by * way) }),
  },
  { weight: 2, arbitrary: fc.record({ pass: fc.constantFrom(1, 40 * second, 10 * minute, 70 * minute) }) },
);

/** The model's knowledge of a message. */
interface Stamp {
  readonly topic: Topic;
  readonly time: number;
  /** The time that had really passed. */
  readonly at: number;
}

/** A log in memory that keeps everything, and the history of its clock, in plain lists. */
class Model {
  readonly stamps: Stamp[] = [];
  /** The steps back of the clock: the number of earlier messages, the time before, and the time after. */
  readonly steps: { readonly place: number; readonly before: number; readonly after: number }[] = [];
  now = start;
  at = 0;
  trusted = start;
  readonly under: LocalLogUnderTest;
  #steady = 0;
  #last = 0;

  constructor(ageMs = Infinity) {
    const fallback = { ...rule, keep: { count: 1e6, ageMs, bytes: Infinity } };
    this.under = openOver(new MemoryStore(), { ...options, fallback }, { now: () => this.now });
  }

  async take(step: ClockStepOf): Promise<void> {
    if ('set' in step) await this.#look(step.set);
    else if ('pass' in step) {
      for (let left = step.pass; left > 0; left -= minute) {
        this.at += Math.min(left, minute);
        await this.#look(Math.min(left, minute));
      }
    } else {
      this.#last = Math.max(this.#last, this.now);
      this.stamps.push({ topic: step.publish, time: this.#last, at: this.at });
      const messageJson = String(this.stamps.length);
      const [outcome] = await this.under.log.append([{ topic: step.publish, messageJson }]);
      expect(outcome).toMatchObject({ kind: 'appended', time: this.#last });
    }
  }

  /** The latest time that is not in the future. */
  get present(): number {
    return this.trusted + minute;
  }

  /** The effective time of a message. */
  counted(place: number): number {
    const { time } = this.stamps[place] as Stamp;
    const setRight = this.steps.find((step) => step.place > place && step.after <= this.present);
    if (time > this.present) return setRight?.after ?? this.trusted;
    const before = this.steps.filter((step) => step.place <= place && step.before <= this.present);
    return Math.max(time, ...before.map((step) => step.before));
  }

  /** The numbers of the messages that are read from a time on. */
  since(ms: number, wanted: Interest): readonly number[] {
    const isThere = ({ time }: Stamp, place: number): boolean =>
      (ms > this.present ? time : this.counted(place)) >= ms;
    const isWanted = ({ topic }: Stamp): boolean => wanted === everything || wanted === topic;
    const first = this.stamps.findIndex((stamp, place) => isWanted(stamp) && isThere(stamp, place));
    if (first < 0) return [];
    return this.stamps.flatMap((stamp, place) => (isWanted(stamp) && place >= first ? [place + 1] : []));
  }

  async #look(by: number): Promise<void> {
    this.now += by;
    await this.under.advance(0);
    this.#steady = Math.abs(by) > minute ? 0 : this.#steady + Math.max(0, by);
    if (Math.abs(by) <= minute) this.trusted += by;
    if (this.now - this.trusted <= minute || this.#steady >= hour) this.trusted = this.now;
    if (this.#last - this.now <= minute) return;
    const place = this.stamps.length;
    const before = this.steps.at(-1)?.place === place ? (this.steps.pop()?.before ?? 0) : 0;
    this.steps.push({ place, before: Math.max(before, this.#last), after: this.now });
    this.#last = this.now;
  }
}

async function readSince(log: TopicLog, ms: number, interest: Interest): Promise<readonly number[]> {
  const { position, due } = await log.locate(interest, { kind: 'time', ms });
  const { records } = await log.read(interest, position, { recordsMax: 1_000, bytesMax: 1e6 });
  expect(records).toHaveLength(due);
  return records.map(({ messageJson }) => Number(messageJson));
}

describe('any behaviour of the clock', () => {
  it('reading from a time begins with the first message that counts as of that time or later, for any clock', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 4, maxLength: 40 }), async (steps) => {
        const model = new Model();
        for (const step of steps) await model.take(step);
        const times = new Set([...model.stamps.map(({ time }) => time), model.now, model.trusted]);
        for (const time of times) {
          for (const ms of [time - 1, time, time + 1]) {
            for (const interest of [news, other, everything]) {
              const read = await readSince(model.under.log, ms, interest);
              expect(read).toEqual(model.since(ms, interest));
              // In other words: no message is left out that has that timestamp or a later one by the clock of
              // now.
              const shown = model.stamps.flatMap(({ topic, time: stamp }, place) =>
                ms <= stamp && stamp <= model.present && (interest === everything || topic === interest)
                  ? [place + 1]
                  : [],
              );
              expect(read).toEqual(expect.arrayContaining(shown));
            }
          }
        }
        await model.under.close();
      }),
      { numRuns: 200 },
    );
  });

  it('every message is dropped at its age and none before, if the clock is ahead for less than an hour at a time', async () => {
    const ageMs = 2 * day;
    const excursion = fc.record({
      ahead: fc.constantFrom(2 * minute, hour, day, 400 * day),
      again: fc.constantFrom(0, 0, 2 * minute, 400 * day),
      forMs: fc.constantFrom(0, 1, 15 * second, 25 * minute),
      publishes: fc.boolean(),
      afterwards: fc.constantFrom(0, minute, 5 * hour),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(excursion, { minLength: 1, maxLength: 6 }), async (excursions) => {
        const model = new Model(ageMs);
        await model.take({ publish: news });
        for (const { ahead, again, forMs, publishes, afterwards } of excursions) {
          await model.take({ set: ahead });
          if (publishes) await model.take({ publish: news });
          await model.take({ pass: forMs });
          await model.take({ set: again });
          if (publishes) await model.take({ publish: news });
          await model.take({ pass: forMs });
          await model.take({ set: -ahead - again });
          await model.take({ publish: news });
          await model.take({ pass: afterwards });
          const young = model.stamps.flatMap(({ at }, place) => (model.at - at < ageMs ? [place + 1] : []));
          expect(await readSince(model.under.log, 0, news)).toEqual(expect.arrayContaining(young));
        }
        // A timestamp that was a day ahead may be trusted after that day has come.
        await model.take({ pass: day + ageMs + hour });
        expect(await readSince(model.under.log, 0, news)).toEqual([]);
        await model.under.close();
      }),
      { numRuns: 10 },
    );
  });

  it('reading from a time omits nothing when the clock is set back more often than is remembered', async () => {
    const hours = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
      minLength: 105,
      maxLength: 130,
    });
    await fc.assert(
      fc.asyncProperty(hours, async (all) => {
        const model = new Model();
        for (const [ahead, back] of all) {
          await model.take({ publish: news });
          await model.take({ set: ahead * hour });
          await model.take({ publish: news });
          await model.take({ set: -back * hour });
        }
        await model.take({ set: 1_000 * hour });
        await model.take({ pass: 61 * minute });
        for (const { time } of model.stamps) {
          const read = await readSince(model.under.log, time, news);
          expect(read).toEqual(expect.arrayContaining([...model.since(time, news)]));
        }
        await model.under.close();
      }),
      { numRuns: 5 },
    );
  });
});
