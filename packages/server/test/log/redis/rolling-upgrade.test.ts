import { randomUUID } from 'node:crypto';
import { parseInterest, parseTopic } from '@fanfare/protocol';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { decodeFrame } from '../../../src/log/redis/frame.ts';
import type { Argument, CallFunction } from '../../../src/log/redis/library.ts';
import { LogFunctions } from '../../../src/log/redis/log-functions.ts';
import { libraryName, librarySource } from '../../../src/log/redis/lua/library-source.ts';
import { RedisNode } from '../../../src/log/redis/redis-node.ts';
import { RedisTopicLog } from '../../../src/log/redis/redis-topic-log.ts';
import { parseRedisUrl } from '../../../src/log/redis/redis-url.ts';
import { Invariants } from '../../../src/observability/invariants.ts';
import type { NewRecord, TopicLog } from '../../../src/log/topic-log.ts';
import { tailOf } from '../../contracts/log-under-test.ts';
import { RedisServer } from '../../redis/redis-server.ts';
import { failOn } from '../open-local-log.ts';
import { caughtUp, openNodeLog, plainRules } from './open-node-log.ts';

const newerName = 'fanfare_next';
const page = { recordsMax: 100, bytesMax: 1_000_000 };
const logger = { warn: failOn, error: failOn };

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});

afterAll(() => redis.kill());

function fail(error: unknown): never {
  throw error;
}

/** Adds a field to each message of an append that this version does not know. */
function withField(args: readonly Argument[]): Argument[] {
  const changed = [...args];
  for (let at = 6; at < args.length;) {
    const count = (args[at + 1] as Buffer).readUInt32LE(0);
    for (let body = at + 2; body < at + 2 + 2 * count; body += 2)
      changed[body] = withFieldIn(args[body] as Buffer);
    at += 2 + 2 * count;
  }
  return changed;
}

function withFieldIn(body: Buffer): Buffer {
  const field = Buffer.from('a field of the next version');
  const at = 6 + Math.max(0, body.readUInt16LE(0) - 1) + Math.max(0, body.readUInt16LE(2) - 1);
  const changed = Buffer.concat([body.subarray(0, at), field, body.subarray(at)]);
  changed.writeUInt16LE(field.length, 4);
  return changed;
}

/** Opens the log like the next version: its functions have another name, and its messages one more field. */
async function openNewer(prefix: string): Promise<{ log: TopicLog; node: RedisNode<LogFunctions> }> {
  const nodeId = randomUUID();
  const limits = { topicsMax: 100, idsMax: 100, idWindowMs: 60_000, unusedPerSubjectMax: Infinity };
  const shared = { ...limits, rules: plainRules };
  const newer =
    (call: CallFunction): CallFunction =>
    async (name, args) =>
      call(name.replace(libraryName, newerName), name.endsWith('_append') ? withField(args) : args);
  const node = await RedisNode.open({
    servers: parseRedisUrl(redis.url),
    prefix,
    node: nodeId,
    replicas: 0,
    functions: {
      code: librarySource.replaceAll(libraryName, newerName),
      decodeFrame,
      create: (call, level, onState) => new LogFunctions(newer(call), { ...shared, level, onState }),
    },
    rules: plainRules,
    onText: () => {},
    invariants: new Invariants(logger),
    logger,
  });
  const { reading, topics } = node.library;
  const uses = { isInUse: () => false, usedInterests: () => [], onFailure: fail };
  const log = await RedisTopicLog.open({ ...shared, ...uses, reading, topics, node, nodeId });
  return { log, node };
}

it('servers of two versions share a log: each reads and deduplicates what the other has appended', async () => {
  const prefix = `{${randomUUID()}}:`;
  const older = await openNodeLog(redis.url, { prefix });
  const newer = await openNewer(prefix);
  onTestFinished(async () => {
    await Promise.all([older.log.close(), newer.log.close()]);
  });
  const tails = [tailOf(older.log), tailOf(newer.log)];
  const topic = parseTopic('news');
  const recordOf = (at: number): NewRecord => ({
    topic,
    messageJson: `{"at":${at}}`,
    ...(at % 2 === 0 && { id: `id ${at}` }),
    ...(at % 3 === 0 && { publisher: `publisher ${at}` }),
  });
  const records = Array.from({ length: 12 }, (_, at) => recordOf(at));
  for (const [at, record] of records.entries()) {
    const { log } = at % 4 < 2 ? older : newer;
    await log.append([record]);
  }
  for (const { node } of [older, newer]) await caughtUp({ node } as typeof older);
  const expected = records.map((record, at) => ({ ...record, sequence: at + 1, ordinal: at + 1 }));
  for (const [at, { log }] of [older, newer].entries()) {
    expect(tails[at]).toMatchObject(expected);
    for (const interest of [topic, parseInterest('**')]) {
      const { position } = await log.locate(interest, { kind: 'earliest' });
      expect((await log.read(interest, position, page)).records).toMatchObject(expected);
    }
    expect(await log.topicState(topic)).toMatchObject({ messages: 12, published: 12 });
    const kinds = (await log.append(records.filter(({ id }) => id !== undefined))).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(['duplicate']));
  }
  const loaded = await redis.command('FUNCTION', 'LIST');
  expect(JSON.stringify(loaded)).toContain(libraryName);
  expect(JSON.stringify(loaded)).toContain(newerName);
});
