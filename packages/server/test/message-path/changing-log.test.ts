import { expect, it } from 'vitest';
import { RedisRefusedError, UnknownReplyError } from '../../src/log/redis/redis-errors.ts';
import {
  LogFullError,
  LogUncertainError,
  LogUnreachableError,
  type Page,
  type TailListener,
  type TopicLog,
} from '../../src/log/topic-log.ts';
import type { MessagePath } from '../../src/message-path/message-path.ts';
import { until } from '../../../../test/waits.ts';
import { anything, FakeFanOut, memoryLog, pathOver, type FakePeer } from './fake-fan-out.ts';

/** A log whose epoch and tail the test changes, as if the log were on another machine. */
interface ChangingLog {
  readonly log: TopicLog;
  readonly listener: () => TailListener;
  /** Replaces the next reads. Undefined: the log itself reads. */
  read: ((read: () => Promise<Page>) => Promise<Page>) | undefined;
}

function changingLog(rules: unknown = []): ChangingLog {
  const log = memoryLog(rules);
  const read = log.read.bind(log);
  const tail = log.tail.bind(log);
  let taken: TailListener | undefined;
  const changing: ChangingLog = { log, listener: () => taken as TailListener, read: undefined };
  Object.assign(log, {
    read: async (...args: Parameters<TopicLog['read']>) => {
      const original = (): Promise<Page> => read(...args);
      return changing.read ? changing.read(original) : original();
    },
    tail: (listener: TailListener) => {
      taken = listener;
      tail(listener);
    },
  });
  return changing;
}

async function subscribed(path: MessagePath, fanOut: FakeFanOut, topic: string): Promise<FakePeer> {
  const peer = fanOut.connect(path);
  await peer.connection?.subscribe({ topic, envelope: true });
  return peer;
}

it('a live subscription learns that the log has lost messages, and continues from the log', async () => {
  const changing = changingLog();
  const fanOut = new FakeFanOut();
  const path = pathOver(changing.log, fanOut);
  const peer = await subscribed(path, fanOut, 'news');
  const idle = await subscribed(path, fanOut, 'idle');
  await path.publish(anything, { json: '{"topic":"news","message":1}' });
  changing.read = async (read) => ({ ...(await read()), dropped: 'unknown' });
  changing.listener().onBehind({ epoch: 'old', sequence: 7 });
  await until('the subscription is live again', () => peer.joined.size > 0);
  expect(peer.received.slice(1)).toEqual([
    'state {"topic":"news","state":"catching_up","offset":"old.7"}',
    'gap {"topic":"news","envelope":true}',
    'state {"topic":"news","state":"live","offset":"e.1"}',
  ]);
  expect(idle.received.map((text) => text.split(' ')[0])).toEqual(['state', 'gap', 'state']);
  changing.read = undefined;
  await path.publish(anything, { json: '{"topic":"news","message":2}' });
  expect(peer.received.at(-1)).toContain('"message":2,"offset":"e.2"');
});

it('subscriptions to topics that keep nothing, and only they, learn that the tail missed messages', async () => {
  const changing = changingLog([{ match: 'none/**', keep: 'none' }]);
  const fanOut = new FakeFanOut();
  const rules = [{ match: 'none/**', keep: 'none' }];
  const path = pathOver(changing.log, fanOut, {}, rules);
  const names = ['none/a', 'none/*', '**', 'kept', 'kept/*'];
  const peers = await Promise.all(names.map((name) => subscribed(path, fanOut, name)));
  changing.listener().onMissed();
  expect(peers.map(({ received }) => received)).toEqual([
    ['gap {"topic":"none/a","envelope":true}'],
    ['gap {"topic":"none/*","envelope":true}'],
    ['gap {"topic":"**","envelope":true}'],
    [],
    [],
  ]);
});

it('a subscription that is not live learns of missed messages before it is live, and only once', async () => {
  const rules = [{ match: 'none/**', keep: 'none' }];
  const changing = changingLog(rules);
  const fanOut = new FakeFanOut();
  const path = pathOver(changing.log, fanOut, {}, rules);
  const peer = await subscribed(path, fanOut, '**');
  peer.room = 0;
  await path.publish(anything, { value: { topic: 'kept', message: 1 }, createsTopic: true });
  changing.listener().onMissed();
  changing.listener().onMissed();
  await path.publish(anything, { value: { topic: 'none/a', message: 2 }, createsTopic: true });
  expect(peer.received.map((text) => text.split(' ')[0])).toEqual(['state']);
  peer.read(10);
  await until('the subscription is live again', () => peer.joined.size > 0);
  expect(peer.received.slice(1)).toEqual([
    expect.stringContaining('"message":1'),
    'gap {"topic":"**","envelope":true}',
    expect.stringContaining('"live"'),
  ]);
});

it('a page that cannot be read holds up no other subscription', async () => {
  const changing = changingLog();
  const fanOut = new FakeFanOut();
  const path = pathOver(changing.log, fanOut);
  await path.topics.declare(anything, 'news');
  await path.publish(anything, { json: '{"topic":"news","message":1}' });
  let answer = (): void => {};
  const stuck = new Promise<void>((resolve) => (answer = resolve));
  changing.read = async (read) => {
    changing.read = undefined;
    await stuck;
    return read();
  };
  const slow = fanOut.connect(path);
  await slow.connection?.subscribe({ topic: 'news', from: 'earliest' });
  await until('the page is being read', () => changing.read === undefined);
  const other = fanOut.connect(path);
  await other.connection?.subscribe({ topic: 'news', from: 'earliest' });
  await until('the other subscription is live', () => other.joined.size > 0);
  expect(other.received).toHaveLength(1);
  expect(slow.received).toEqual([]);
  answer();
  await until('the slow subscription is live', () => slow.joined.size > 0);
  expect(slow.received).toHaveLength(1);
});

it.each([
  new LogUnreachableError('Redis does not answer.'),
  new UnknownReplyError('Redis refused a command: ERR something else'),
  new RedisRefusedError('Redis refuses the user of its URL.'),
  new LogFullError('Redis has no memory left.'),
])('a subscription waits while the log cannot be read, and then continues (%s)', async (error) => {
  const changing = changingLog();
  const fanOut = new FakeFanOut();
  const path = pathOver(changing.log, fanOut);
  await path.topics.declare(anything, 'news');
  await path.publish(anything, { json: '{"topic":"news","message":1}' });
  let failures = 0;
  changing.read = async () => {
    failures++;
    throw error;
  };
  const peer = fanOut.connect(path);
  await peer.connection?.subscribe({ topic: 'news', from: 'earliest' });
  await until('reading has failed twice', () => failures > 1);
  expect(peer.received).toEqual([]);
  changing.read = undefined;
  await until('the subscription is live', () => peer.joined.size > 0);
  expect(peer.received).toEqual(['news {"message":1}']);
  await expect(path.history(anything, 'news' as never, { kind: 'earliest' }, 1)).resolves.toMatchObject({
    more: false,
  });
});

it.each([
  [new LogUncertainError('No answer came.', 'Redis does not answer.'), 'outcome_unknown'],
  [new LogUnreachableError('No answer came.', 'Redis does not answer.'), 'storage_unavailable'],
])('a publish is refused with the code that says whether it may have happened (%s)', async (error, code) => {
  const { log } = changingLog();
  const path = pathOver(log, new FakeFanOut());
  const fail = async (): Promise<never> => {
    throw error;
  };
  const appendOne: TopicLog['appendOne'] = (_record, { onFailure }) => onFailure(error);
  Object.assign(log, { append: fail, appendOne });
  const json = '{"topic":"news","message":1}';
  await expect(path.publish(anything, { json })).rejects.toMatchObject({ code, status: 503 });
  const batch = path.publishMany(anything, { lines: json });
  await expect(batch).rejects.toMatchObject({ code, status: 503 });
});

it('the figures count a publish once, on the server that accepted it', async () => {
  const { log, listener } = changingLog();
  const path = pathOver(log, new FakeFanOut());
  await path.topics.declare(anything, 'news');
  await path.publish(anything, { json: '{"topic":"news","message":1,"id":"a"}' });
  await path.publish(anything, { json: '{"topic":"news","message":1,"id":"a"}' });
  const theirs = { epoch: 'e', sequence: 2, ordinal: 2, time: 1, topic: 'news' as never, messageJson: '2' };
  listener().onRecords([theirs]);
  expect(await path.nodes.stats(anything)).toMatchObject({ publishes: 1 });
});
