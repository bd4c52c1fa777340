import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseInterest, parseTopic } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcome, fanfare } from '../../../cli/test/harness.ts';
import { openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import type { Block, Store } from '../../src/log/store/store.ts';
import type { Rule } from '../../src/rules/rule.ts';
import { verifyStore } from '../../src/store-tools/index.ts';
import { repairTimestamps, repairTimes } from '../../src/store-tools/repair-times.ts';
import { Fixture } from '../log/fixtures.ts';
import { openOver } from '../log/open-local-log.ts';
import { SteeredStore } from '../log/steered-store.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const start = 1_790_000_000_000;
const fallback: Rule = {
  match: parseInterest('**'),
  keep: { count: 5, ageMs: Infinity, bytes: Infinity },
  create: 'publish',
  publishBytesMax: 1_000,
};
const options = { rules: [], fallback, topicsMax: 100, idWindowMs: 10 * minute, idsMax: 1_000 };

interface Step {
  readonly publish: string;
  readonly pass: number;
  readonly set: number;
}

/** Fills a store by a clock that is set forward and back. @returns the last time of the clock */
async function fill(store: Store, steps: readonly Step[]): Promise<number> {
  let now = start;
  // The store is still used after the log has closed.
  Object.assign(store, { close: () => Promise.resolve() });
  const { log, advance, close } = openOver(store, options, { now: () => now });
  for (const [at, { publish, pass, set }] of steps.entries()) {
    now += set;
    await advance(0);
    await log.append([{ topic: parseTopic(publish), messageJson: String(at), id: `id ${at}` }]);
    now += pass;
    await advance(0);
  }
  await close();
  return now;
}

async function tell(store: Store, now: number): Promise<{ damages: string[]; notices: string[] }> {
  const damages: string[] = [];
  const notices: string[] = [];
  await verifyStore(store, {
    now: () => now,
    onDamage: (sentence) => damages.push(sentence),
    onNotice: (sentence) => notices.push(sentence),
  });
  return { damages, notices };
}

function stampsOf(store: Store): readonly number[] {
  return [...store.readBlocks(0)].map(({ time }) => time);
}

function isoOf(sinceStart: number): string {
  return new Date(start + sinceStart).toISOString();
}

const publish = 'news';
const ahead = [
  { publish, set: 0, pass: minute },
  { publish, set: 0, pass: minute },
  { publish, set: 365 * day, pass: minute },
  { publish, set: 0, pass: 30_000 },
  { publish, set: -365 * day, pass: minute },
] as const;

describe('a store with messages from the future', () => {
  it('messages from the future are a notice of verification, and not damage', async () => {
    const store = new MemoryStore();
    const now = await fill(store, ahead);
    expect(await tell(store, now)).toEqual({
      damages: [],
      notices: [
        'The clock was set back by 365 days before message 5 of the log: ' +
          `from ${isoOf(365 * day + 3 * minute)} to ${isoOf(3 * minute + 30_000)}.`,
        expect.stringMatching(
          /^2 messages have timestamps in the future, up to \S+\. The clock shows \S+\. If the clock is right, 'fanfare store repair-times' corrects them\.$/,
        ),
      ],
    });
  });

  it('repaired timestamps end when the clock was set right, with the same distances', async () => {
    const store = new MemoryStore();
    const now = await fill(store, ahead);
    expect(await repairTimestamps(store, now)).toEqual({
      messages: 2,
      latest: start + 365 * day + 3 * minute,
    });
    const setRight = 3 * minute + 30_000;
    expect(stampsOf(store).map((time) => time - start)).toEqual([
      0,
      minute,
      setRight - minute,
      setRight,
      setRight,
    ]);
    expect(store.readState()).toMatchObject({ clockSteps: [], time: start + setRight, trustedTime: now });
    expect(await tell(store, now)).toEqual({ damages: [], notices: [] });
  });

  it.each([0, 1, 2])('a repair can be run again after it failed after %i commits', async (commits) => {
    const many = Array.from({ length: 200 }, (_, at) => ({
      publish: `t/${at % 50}`,
      set: at === 40 ? 100 * day : at === 190 ? -100 * day : 0,
      pass: 1_000,
    }));
    const store = new SteeredStore();
    const now = await fill(store, many);
    let left = commits;
    store.failure = new Error('the disk is gone');
    store.isAffected = () => left-- <= 0;
    await expect(repairTimestamps(store, now)).rejects.toThrow('the disk is gone');
    expect((await tell(store, now)).damages).toEqual([]);
    store.failure = undefined;
    await repairTimestamps(store, now);
    expect(await tell(store, now)).toEqual({ damages: [], notices: [] });
    const plain = new MemoryStore();
    await fill(plain, many);
    await repairTimestamps(plain, now);
    expect(stampsOf(store)).toEqual(stampsOf(plain));
  });

  it('no timestamp is from the future after a repair, whatever the clock did, and nothing else changes', async () => {
    const step = fc.record({
      publish: fc.constantFrom('a', 'b', 'c/d'),
      set: fc.constantFrom(0, 0, 0, hour, -hour, 3 * day, -3 * day, 400 * day, -400 * day),
      pass: fc.constantFrom(0, 1, minute),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const store = new MemoryStore();
        const now = await fill(store, steps);
        const before = [...store.readBlocks(0)];
        const stateBefore = store.readState();
        await repairTimestamps(store, now);
        const after = [...store.readBlocks(0)];
        const withoutTime = (all: readonly Block[]): unknown =>
          all.map(({ first, runs }) => ({ first, runs }));
        expect(withoutTime(after)).toEqual(withoutTime(before));
        for (const [at, { time }] of after.entries()) {
          const was = before[at]?.time ?? 0;
          if (was <= now + minute) expect(time).toBe(was);
          else expect(time).toBeLessThanOrEqual(now + minute);
        }
        const { head, epoch, deletions } = store.readState() ?? {};
        expect({ head, epoch, deletions }).toEqual({
          head: stateBefore?.head,
          epoch: stateBefore?.epoch,
          deletions: stateBefore?.deletions,
        });
        const { damages, notices } = await tell(store, now);
        expect(damages).toEqual([]);
        expect(notices.filter((notice) => notice.includes('in the future'))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('fanfare store repair-times', () => {
  const fixture = new Fixture('format-1/ahead');
  const { takenAt, epoch, head, kept } = fixture.content;

  it('fanfare store repair-times corrects a store in which time stood still, and keeps offsets, ids and a copy', async () => {
    const directory = fixture.unpack();
    const told = await outcome(fanfare('store', 'verify', directory));
    expect(told).toMatchObject({ code: 0, stdout: '20 messages in 2 topics (160 bytes)\n' });
    expect(told.stderr).toMatch(/^16 messages have timestamps in the future, up to 2099-01-01T/);
    const { code, stdout, stderr } = await outcome(fanfare('store', 'repair-times', directory));
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(
      /^Corrected the times of 16 messages from the future\. The clock shows \S+\. The original data is in /,
    );
    expect(await outcome(fanfare('store', 'verify', directory))).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(directory)).toEqual(
      expect.arrayContaining(['log.mdb', 'log.mdb.before-repair', 'log.mdb.format-1']),
    );
    const store = await openLmdbStore(directory);
    expect(store.readState()).toMatchObject({ epoch, head, clockSteps: [] });
    const places = [1, 2].flatMap((topic) =>
      [...store.readChunks(topic, 0)].flatMap(({ records }) => records.map(({ sequence }) => sequence)),
    );
    expect(places.toSorted((a, b) => a - b)).toEqual(kept);
    for (const { time } of store.readBlocks(0)) expect(time).toBeLessThanOrEqual(Date.now());
    for (const { time } of store.readIds(0)) expect(time).toBeLessThanOrEqual(Date.now());
    await store.close();
  });

  it('fanfare store repair-times changes nothing, and makes no copy, if no message is from the future', async () => {
    const directory = fixture.unpack();
    await repairTimes(directory, takenAt);
    await expect(repairTimes(directory, takenAt)).resolves.toBeUndefined();
    const clean = new Fixture('format-1/stopped').unpack();
    const { code, stderr } = await outcome(fanfare('store', 'repair-times', clean));
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^No message has a time in the future: nothing was changed\. The clock shows \S+\.\n$/,
    );
    expect(readdirSync(clean).filter((name) => name.includes('repair'))).toEqual([]);
  });

  it('fanfare store repair-times keeps the copy of an earlier repair', async () => {
    const directory = fixture.unpack();
    // The clock of that repair was wrong too.
    const first = await repairTimes(directory, takenAt + 365 * day);
    const copied = readFileSync(first?.copy ?? '');
    const second = await repairTimes(directory, takenAt);
    expect([first?.messages, second?.messages]).toEqual([16, 16]);
    expect(second?.copy).toBe(join(directory, 'log.mdb.before-repair-2'));
    expect(readFileSync(first?.copy ?? '').equals(copied)).toBe(true);
  });

  it('fanfare store repair-times refuses a directory without a store', async () => {
    const nowhere = join(fixture.unpack(), 'nowhere');
    expect(await outcome(fanfare('store', 'repair-times', nowhere))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`There is no log in '${nowhere}'`) as string,
    });
  });
});
