import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { UsageError } from '../src/arguments.ts';
import type { AppendsJob, FollowingJob } from '../src/cluster/jobs.ts';
import { measureCluster } from '../src/cluster/main.ts';
import { Markers } from '../src/cluster/markers.ts';
import { lostIn, pauseOf } from '../src/cluster/pause.ts';
import { runJob } from '../src/cluster/run-job.ts';
import { root } from '../src/paths.ts';
import { Processes } from '../src/processes.ts';
import { startFanfare } from '../src/systems/fanfare.ts';
import { startRedis } from '../src/systems/redis.ts';

function cluster(...args: readonly string[]): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, ['bench/dist/main.js', 'cluster', ...args], {
    cwd: root,
    encoding: 'utf8',
  });
}

describe('npm run bench -- cluster', () => {
  it('npm run bench -- cluster --smoke proves that each measurement of many nodes works', () => {
    const ids = cluster('--list')
      .stdout.trim()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '');
    expect(ids).toEqual(expect.arrayContaining(['following', 'acknowledgement', 'fan-out', 'promotion']));
    const { stdout, stderr, status } = cluster('--smoke');
    expect(stdout.trim().split('\n')).toEqual(ids.map((id) => `${id}: works`));
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });

  it.each([
    [['--part', 'following,leading'], "There is no part 'leading'. There are: "],
    [['--rounds', '0'], '--rounds takes a whole number from 1'],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])(
    'the measurement of many nodes refuses the arguments %j before it starts anything',
    async (args, reason) => {
      const wrong = measureCluster(args, () => {
        throw new Error('It started something.');
      });
      await expect(wrong).rejects.toThrow(UsageError);
      await expect(wrong).rejects.toThrow(reason);
    },
  );
});

const processes = new Processes(undefined);
afterAll(() => processes.close());

describe('the measurement of appends', () => {
  const small: Omit<AppendsJob, 'redis' | 'calls'> = {
    kind: 'appends',
    batchMessages: 4,
    topics: 2,
    keepCount: 10,
    messageBytes: 64,
    warmUpMs: 20,
    stretchMs: 50,
    timeoutMs: 10_000,
  };

  async function measure(changed: Partial<AppendsJob>): Promise<object> {
    const running = await startRedis(processes, ['--appendonly', 'no']);
    onTestFinished(() => running.stop());
    const { port, pid } = running;
    return runJob(processes, { ...small, calls: 'append', redis: { port, pid }, ...changed });
  }

  it.each(['append', 'pushes'] as const)('the measurement of %s counts the messages', async (calls) => {
    await expect(measure({ calls })).resolves.toMatchObject({
      messagesPerSecond: expect.any(Number) as unknown,
    });
  });

  it('the measurement of appends fails if a message is refused', async () => {
    await expect(measure({ messageBytes: 1_100_000 })).rejects.toThrow(
      'Of a batch of 4, 0 messages were appended.',
    );
  });
});

describe('the measurement of following', () => {
  const small: Omit<FollowingJob, 'follower' | 'redis' | 'readerPid'> = {
    kind: 'following',
    messagesPerSecond: 1_000,
    batchMessages: 16,
    topics: 10,
    messageBytes: 64,
    idleMs: 1,
    warmUpMs: 50,
    stretchMs: 50,
    timeoutMs: 5_000,
  };

  /** @param flags - of the node that is measured. Another one begins the log */
  async function measure(...flags: readonly string[]): Promise<object> {
    const redis = await startRedis(processes, ['--appendonly', 'no']);
    onTestFinished(() => redis.stop());
    const startNode = async (more: readonly string[]): Promise<FollowingJob['follower']> => {
      const onRedis = ['--redis', `redis://127.0.0.1:${redis.port}`, ...more];
      const node = await startFanfare(processes, {}, onRedis);
      onTestFinished(() => node.stop());
      return { port: node.port, pid: node.pid };
    };
    await startNode([]);
    const follower = await startNode(flags);
    const { port, pid } = redis;
    return runJob(processes, { ...small, follower, redis: { port, pid }, readerPid: process.pid });
  }

  it('the measurement of following passes with a node that follows the log', async () => {
    await expect(measure()).resolves.toMatchObject({ published: expect.any(Number) as unknown });
  });

  it('the measurement of following fails with a node that does not follow the log', async () => {
    await expect(measure('--redis-prefix', 'other')).rejects.toThrow(
      'After 5 s: the follower has not delivered all markers.',
    );
  });
});

describe('the markers', () => {
  const live = '42["state",{"topic":"marker","state":"live","offset":"e.0"}]';
  const marker = (sequence: number): string =>
    `42["message",{"topic":"marker","message":"0000","offset":"e.${sequence}","time":1}]`;

  function judge(events: readonly string[]): Markers {
    const markers = new Markers();
    for (const sequence of [20, 10, 30]) markers.published(sequence);
    for (const event of events) markers.received(event);
    markers.check();
    return markers;
  }

  it('the markers are right if each was delivered once and in order', () => {
    expect(judge([live, marker(10), marker(20), marker(30)]).areComplete).toBe(true);
  });

  it.each([
    ['a marker that is missing', [live, marker(10), marker(30)], 'not the one at the place 20'],
    ['a marker at another place', [live, marker(10), marker(21), marker(30)], 'the place 20'],
    ['a marker that came twice', [live, marker(10), marker(10)], 'the place 10 after 10'],
    ['a marker that came too late', [live, marker(20), marker(10)], 'the place 10 after 20'],
    [
      'a subscription that is served from the log',
      [live, live.replace('live', 'catching_up')],
      'catching_up',
    ],
    ['messages that were missed', [live, '42["gap",{"topic":"marker"}]'], '"gap"'],
  ])('the markers show %s', (_what, events, sentence) => {
    expect(() => judge(events)).toThrow(sentence);
  });
});

describe('the pause of a failover', () => {
  const failover = { killedMs: 1_000, promotedMs: 2_500, announcedMs: 2_700 };

  it('the pause of a failover ends with the first acknowledgement after the promotion', () => {
    const acknowledgedMs = [900, 1_001, 3_000, 2_900, 3_100];
    expect(pauseOf({ ...failover, acknowledgedMs })).toEqual({
      fromPromotionMs: 400,
      fromAnnouncementMs: 200,
      untilPromotionMs: 1_500,
      pauseMs: 1_899,
    });
  });

  it.each([
    ['after', [900, 1_001]],
    ['before', [3_000]],
  ])(
    'the pause of a failover has no end if nothing was acknowledged %s the promotion',
    (when, acknowledgedMs) => {
      expect(() => pauseOf({ ...failover, acknowledgedMs })).toThrow(
        `No publish was acknowledged ${when} the promotion.`,
      );
    },
  );

  it('messages that a failover has lost are counted, and messages that it has repeated are an error', () => {
    expect(lostIn({ published: 10, kept: 8 })).toBe(2);
    expect(() => lostIn({ published: 10, kept: 11 })).toThrow(
      'The log keeps 11 messages, and 10 were published.',
    );
  });
});
