import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatOffset, parseInterest, parseOffset, parseTopic } from '@fanfare/protocol';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { defaultRule, parseRules } from '../../src/config/rules.ts';
import { Invariants } from '../../src/observability/invariants.ts';
import { failOn } from './open-local-log.ts';
import { LocalTopicLog } from '../../src/log/local/local-topic-log.ts';
import { openLmdbStore } from '../../src/log/store/lmdb/lmdb-store.ts';
import type { LogRecord, TopicLog } from '../../src/log/topic-log.ts';
import { Rules } from '../../src/rules/rule.ts';
import { exportStore, openStore, verifyStore } from '../../src/store-tools/index.ts';
import { Fixture, type FixtureContent } from './fixtures.ts';

const everything = parseInterest('**');

function rulesOf({ rules }: FixtureContent): Rules {
  const parsed = parseRules(rules);
  if ('problems' in parsed) throw new Error(parsed.problems.map(({ text }) => text).join('\n'));
  return new Rules(parsed.rules, defaultRule);
}

/** Opens a store with the rules that it was written with, some seconds later. */
async function openLog(
  directory: string,
  content: FixtureContent,
  onFailure: (error: unknown) => void,
): Promise<TopicLog> {
  return new LocalTopicLog({
    store: await openLmdbStore(directory),
    rules: rulesOf(content),
    topicsMax: 1_000,
    isInUse: () => false,
    unusedPerSubjectMax: Infinity,
    memoryBytesMax: Infinity,
    idWindowMs: 600_000,
    idsMax: 10_000,
    newEpoch: 'new',
    now: () => content.takenAt,
    invariants: new Invariants({ warn: failOn, error: failOn }),
    onClockEvent: () => {},
    onWritable: () => {},
    onFailure,
  });
}

async function readAll(log: TopicLog): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  let { position } = await log.locate(everything, { kind: 'earliest' });
  for (let isAtHead = false; !isAtHead;) {
    const page = await log.read(everything, position, { recordsMax: 100, bytesMax: Infinity });
    expect(page.dropped).toBe(0);
    records.push(...page.records);
    ({ position, isAtHead } = page);
  }
  return records;
}

/** An envelope like in an export. */
function lineOf({ topic, messageJson, sequence, time, id, publisher }: LogRecord, epoch: string): string {
  const rest = JSON.stringify({ offset: formatOffset({ epoch, sequence }), time, id, publisher });
  return inShort(`{"topic":${JSON.stringify(topic)},"message":${messageJson},${rest.slice(1)}`);
}

function inShort(line: string): string {
  return line.length > 300 ? `sha256:${createHash('sha256').update(line).digest('hex')}` : line;
}

const stores = [1, 2, 3].flatMap((format) => [`format-${format}/stopped`, `format-${format}/killed`]);

describe.each(stores)('the store %s', (name) => {
  const fixture = new Fixture(name);
  const { content } = fixture;
  const { epoch, head } = content;
  const parent = mkdtempSync(join(tmpdir(), 'fanfare-'));
  const failures: unknown[] = [];
  let logs: TopicLog[] = [];
  let store: Awaited<ReturnType<typeof openStore>>;

  // A store that a killed server has left is free only after ten seconds: the cases wait at the same time.
  beforeAll(async () => {
    const unpacked = Array.from({ length: 5 }, (_, at) => fixture.unpack(join(parent, String(at))));
    const [tools = '', ...rest] = unpacked;
    [store, logs] = await Promise.all([
      openStore(tools),
      Promise.all(
        rest.map(async (directory) => openLog(directory, content, (error) => failures.push(error))),
      ),
    ]);
  });

  afterAll(async () => {
    await Promise.all([store, ...logs].map(async (each) => each.close()));
    rmSync(parent, { recursive: true });
    expect(failures).toEqual([]);
  });

  /** A log over a copy of its own. */
  function nextLog(): TopicLog {
    const log = logs.shift();
    if (!log) throw new Error('there are more cases than logs');
    onTestFinished(() => log.close());
    return log;
  }

  it('a store of an earlier format has the same messages under the same offsets, to the character', async () => {
    const log = nextLog();
    expect([log.epoch, log.head]).toEqual([epoch, head]);
    const records = await readAll(log);
    expect(records.map(({ sequence }) => sequence)).toEqual(content.kept);
    expect(content.lines).toEqual(expect.arrayContaining(records.map((record) => lineOf(record, epoch))));
  });

  it('a store of an earlier format has the same topics', async () => {
    const log = nextLog();
    const states = await log.topics({ prefix: '', limit: 1_000 });
    expect(states).toEqual(
      content.topics.map(({ topic, messages, lastOffset, lastTime }) => ({
        topic,
        messages,
        published: 0,
        ...(lastOffset !== undefined && { last: parseOffset(lastOffset) }),
        ...(lastTime !== undefined && { lastTime }),
      })),
    );
    const declared = content.lines.filter((line) => line.includes('"declared":true'));
    expect(declared).toHaveLength(2);
  });

  it('a store of an earlier format reports the same losses after an offset', async () => {
    const log = nextLog();
    const resumes = [];
    for (const { topic, sequence } of content.resumes) {
      const offset = { epoch, sequence };
      const { recovered, due } = await log.locate(parseInterest(topic), { kind: 'offset', offset });
      resumes.push({ topic, sequence, recovered, replayed: due });
    }
    expect(resumes).toEqual(content.resumes);
  });

  it('a store of an earlier format still has the ids, and continues after its head', async () => {
    const log = nextLog();
    // Since format 3, ids count per subject: that of the publisher in the fixtures.
    const publisher = name.startsWith('format-3/') ? { subject: 'ann' } : {};
    const outcomes = await log.append(
      content.ids.map((one) => ({ ...one, ...publisher, topic: parseTopic(one.topic) })),
    );
    expect(outcomes).toEqual(
      content.ids.map(({ offset, time }) => ({
        kind: 'duplicate',
        epoch,
        sequence: Number(offset.split('.')[1]),
        time,
        stored: 'disk',
      })),
    );
    const record = { topic: parseTopic('news'), messageJson: '"new"' };
    expect(await log.append([record])).toMatchObject([{ kind: 'appended', sequence: head + 1 }]);
  });

  it('a store of an earlier format is verified and exported without damage', async () => {
    const damages: string[] = [];
    let lines = '';
    await verifyStore(store, {
      now: () => content.takenAt,
      onDamage: (sentence) => damages.push(sentence),
      onNotice: (sentence) => damages.push(sentence),
    });
    await exportStore(store, {
      onDamage: (sentence) => damages.push(sentence),
      write: async (some) => void (lines += some),
    });
    expect(damages).toEqual([]);
    expect(lines.trimEnd().split('\n').map(inShort)).toEqual(content.lines);
  });
});
