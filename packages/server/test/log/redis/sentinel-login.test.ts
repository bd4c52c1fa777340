import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Topic } from '@fanfare/protocol';
import type { RedisLog } from '../../../src/log/redis/open-redis-log.ts';
import { LogUnreachableError } from '../../../src/log/topic-log.ts';
import { RedisRefusedError } from '../../../src/log/redis/redis-errors.ts';
import { openLink } from '../../../src/log/redis/redis-link.ts';
import { parseRedisUrl } from '../../../src/log/redis/redis-url.ts';
import { SentinelTrio } from '../../redis/sentinel-trio.ts';
import { soonMs, until, within } from '../../../../../test/waits.ts';
import { openNodeLog } from './open-node-log.ts';

const prefix = '{fanfare}:';

let trio: SentinelTrio;

beforeAll(async () => {
  trio = await SentinelTrio.start({
    config: ['requirepass of-redis', 'masterauth of-redis'],
    sentinelConfig: [
      'requirepass of-sentinels',
      'user ann on >of-ann ~* &* -@all +auth +sentinel|get-master-addr-by-name',
      'user bob on >of-bob -@all',
      'sentinel auth-pass fanfare of-redis',
    ],
  });
});

afterAll(() => Promise.all([...trio.sentinels, ...trio.servers].map((server) => server.kill())));

function urlWith(parameters: string, login = ':of-redis', group = trio.name): string {
  const hosts = trio.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return `redis+sentinel://${login}@${hosts}/${group}${parameters}`;
}

async function refusal(url: string): Promise<Error> {
  const opening = openLink(parseRedisUrl(url)).then(
    () => new Error('the connection was made'),
    (error: Error) => error,
  );
  return within(soonMs, 'the connection fails', opening);
}

describe('Sentinels with a password of their own', () => {
  const opened: RedisLog[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(({ log }) => log.close()));
  });

  it.each([
    ['the default user', '?sentinelPassword=of-sentinels'],
    ['a user with few rights', '?sentinelUser=ann&sentinelPassword=of-ann'],
  ])('a log is opened, and goes on after a failover, with the password of %s', async (_who, parameters) => {
    const one = await within(soonMs, 'the log opens', openNodeLog(urlWith(parameters), { prefix }));
    opened.push(one);
    const append = (messageJson: string): Promise<unknown> =>
      one.log.append([{ topic: 'news' as Topic, messageJson, createsTopic: true }]);
    expect(await append('1')).toMatchObject([{ kind: 'appended' }]);
    const old = await trio.primary();
    await trio.failOver();
    await until('publishing succeeds again', () =>
      append('2').then(
        () => true,
        () => false,
      ),
    );
    await old.restart();
    await old.untilInfo('replication', /^master_link_status:up/m);
  });

  it.each([
    ['no password', '', 'need a password: add ?sentinelPassword='],
    ['a wrong password', '?sentinelPassword=of-redis', 'sentinelPassword of the URL of Redis'],
    ['a wrong user', '?sentinelUser=eve&sentinelPassword=of-ann', 'sentinelPassword of the URL of Redis'],
    ['a user without rights', '?sentinelUser=bob&sentinelPassword=of-bob', 'or the user lacks rights'],
  ])(
    'with %s for Sentinels, the start fails at once, and the error says why',
    async (_what, login, words) => {
      const error = await refusal(urlWith(login));
      expect(error).toBeInstanceOf(RedisRefusedError);
      expect(error.message).toContain('The Sentinels');
      expect(error.message).toContain(words);
      await expect(
        within(soonMs, 'the log is refused', openNodeLog(urlWith(login), { prefix })),
      ).rejects.toThrow(words);
    },
  );

  it('a wrong password for Redis is told apart from one for Sentinels', async () => {
    const error = await refusal(urlWith('?sentinelPassword=of-sentinels', ':of-sentinels'));
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect(error.message).toContain('Redis refuses the user or password of its URL');
  });

  it('a group that no Sentinel knows is named', async () => {
    const error = await refusal(urlWith('?sentinelPassword=of-sentinels', ':of-redis', 'nobody'));
    expect(error).toBeInstanceOf(LogUnreachableError);
    expect(error.message).toBe("No Sentinel knows the group 'nobody', which the URL of Redis names.");
  });

  it('the error says why Sentinels cannot be reached', async () => {
    const error = await refusal('redis+sentinel://127.0.0.1:1/mymaster?sentinelPassword=x');
    expect(error.message).toBe(
      "The Sentinels of the group 'mymaster' cannot be reached: connect ECONNREFUSED 127.0.0.1:1",
    );
  });
});
