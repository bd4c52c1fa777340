import { describe, expect, it } from 'vitest';
import { describeServers, parseRedisUrl } from '../../../src/log/redis/redis-url.ts';

describe('the URL of Redis', () => {
  it('names one server, with its usual port and database by default', () => {
    expect(parseRedisUrl('redis://cache')).toEqual({
      kind: 'single',
      hosts: [{ host: 'cache', port: 6_379 }],
      usesTls: false,
      db: 0,
    });
  });

  it('has user, password, port and database', () => {
    expect(parseRedisUrl('rediss://ann:p%40ss:word@[::1]:7000/3')).toEqual({
      kind: 'single',
      hosts: [{ host: '::1', port: 7_000 }],
      usesTls: true,
      user: 'ann',
      password: 'p@ss:word',
      db: 3,
    });
  });

  it('has a password without a user', () => {
    expect(parseRedisUrl('redis://:secret@cache')).toMatchObject({ password: 'secret' });
    expect(parseRedisUrl('redis://:secret@cache')).not.toHaveProperty('user');
  });

  it('names Sentinels with their usual port, and a group', () => {
    expect(parseRedisUrl('redis+sentinel://:secret@one,two:1234/mymaster/2')).toEqual({
      kind: 'sentinel',
      hosts: [
        { host: 'one', port: 26_379 },
        { host: 'two', port: 1_234 },
      ],
      usesTls: false,
      password: 'secret',
      group: 'mymaster',
      db: 2,
    });
  });

  it('has the user and the password of Sentinels as parameters', () => {
    const url = 'redis+sentinel://one/mymaster';
    expect(parseRedisUrl(url)).not.toHaveProperty('sentinelPassword');
    expect(parseRedisUrl(`${url}?sentinelPassword=a%26b=+c`)).toMatchObject({ sentinelPassword: 'a&b=+c' });
    const servers = parseRedisUrl('redis+sentinel://ann:a@one/g/2?sentinelUser=bob&sentinelPassword=b');
    expect(servers).toMatchObject({
      user: 'ann',
      password: 'a',
      sentinelUser: 'bob',
      sentinelPassword: 'b',
      group: 'g',
      db: 2,
    });
    expect(describeServers(servers)).toBe('redis+sentinel://one:26379/g/2');
  });

  it('names nodes of a cluster', () => {
    expect(parseRedisUrl('rediss+cluster://one:1,two:2')).toEqual({
      kind: 'cluster',
      hosts: [
        { host: 'one', port: 1 },
        { host: 'two', port: 2 },
      ],
      usesTls: true,
      db: 0,
    });
  });

  it.each([
    ['http://cache', 'must be redis://'],
    ['redis://', 'must be redis://'],
    ['redis://a:70000', "'a:70000'"],
    ['redis://a:b', "'a:b'"],
    ['redis://a,b', 'one host'],
    ['redis://a/x', "'x'"],
    ['redis://ann@a', 'user without a password'],
    ['redis://:%zz@a', '%25'],
    ['redis+sentinel://a', 'name of the group'],
    ['redis+cluster://a/1', 'only the database 0'],
    ['redis://a?x=1', 'Only a redis+sentinel:// URL'],
    ['redis+cluster://a?sentinelPassword=b', 'Only a redis+sentinel:// URL'],
    ['redis+sentinel://a/g?password=b', 'sentinelPassword=PASSWORD'],
    ['redis+sentinel://a/g?sentinelPassword=b&c', 'an & in a password as %26'],
    ['redis+sentinel://a/g?sentinelPassword', 'unknown parameter'],
    ['redis+sentinel://a/g?sentinelUser=ann', 'sentinelUser without a sentinelPassword'],
    ['redis+sentinel://a/g?sentinelPassword=%zz', '%25'],
  ])('%s is refused in words', (url, words) => {
    expect(() => parseRedisUrl(url)).toThrow(words);
  });

  it('is shown without user and password', () => {
    for (const url of [
      'rediss://a:1/2',
      'redis+sentinel://a:1,b:2/g/3',
      'redis+cluster://[::1]:5',
      'redis://a:1',
    ]) {
      expect(describeServers(parseRedisUrl(url))).toBe(url);
      expect(describeServers(parseRedisUrl(url.replace('://', '://ann:secret@')))).toBe(url);
    }
  });
});
