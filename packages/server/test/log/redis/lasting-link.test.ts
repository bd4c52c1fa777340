import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LastingLink } from '../../../src/log/redis/lasting-link.ts';
import { ConnectionLostError, RedisRefusedError } from '../../../src/log/redis/redis-errors.ts';
import type { RedisLink } from '../../../src/log/redis/redis-link.ts';
import { parseRedisUrl } from '../../../src/log/redis/redis-url.ts';
import type { HostPort } from '../../../src/nodes/host-port.ts';
import { checkServer } from '../../../src/log/redis/server-check.ts';
import { FakeLink, FakeNetwork } from './fake-network.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const away = (movedTo?: HostPort): ConnectionLostError =>
  new ConnectionLostError('It is away.', { isAnswerLost: false, movedTo });

/** A link of which the test decides how each attempt ends. */
function lab(url: string, attempt: (node: HostPort | undefined) => Error | undefined) {
  const attempts: { readonly at: number; readonly port: number | undefined }[] = [];
  const links: FakeLink[] = [];
  const network = new FakeNetwork(() => 0);
  const lasting = new LastingLink({
    servers: parseRedisUrl(url),
    open: async (_servers, node): Promise<RedisLink> => {
      await Promise.resolve();
      attempts.push({ at: Math.round(performance.now() - startedAt), port: node?.port });
      const error = attempt(node);
      if (error) throw error;
      const link = new FakeLink(network);
      links.push(link);
      return link;
    },
    prepare: () => Promise.resolve(),
    onUp: () => {},
    onDown: () => {},
    random: () => 1,
  });
  const startedAt = performance.now();
  return { lasting, attempts, links };
}

describe('a connection that is kept up', () => {
  it('is tried again after pauses that grow to a quarter of a second', async () => {
    let isAway = false;
    const { lasting, attempts, links } = lab('redis://one', () => (isAway ? away() : undefined));
    await lasting.start();
    isAway = true;
    links[0]?.cut();
    await vi.advanceTimersByTimeAsync(1_500);
    expect(attempts.map(({ at }) => at)).toEqual([0, 50, 150, 350, 600, 850, 1_100, 1_350]);
    expect(lasting.isUp).toBe(false);
    isAway = false;
    await vi.advanceTimersByTimeAsync(250);
    expect(lasting.isUp).toBe(true);
    await lasting.close();
  });

  it('goes at once to the node of a cluster that has the log, and to the next node of the URL if one is away', async () => {
    const { lasting, attempts } = lab('redis+cluster://a:1,a:2,a:3', (node) => {
      if (node?.port === 1) return away();
      return node?.port === 7 ? undefined : away({ host: 'a', port: 7 });
    });
    const started = lasting.start();
    await vi.advanceTimersByTimeAsync(50);
    await started;
    expect(attempts).toEqual([
      { at: 0, port: 1 },
      { at: 50, port: 2 },
      { at: 50, port: 7 },
    ]);
    await lasting.close();
  });

  it('does not hurry between nodes that name each other', async () => {
    const { lasting, attempts } = lab('redis+cluster://a:1', (node) => {
      return away({ host: 'a', port: node?.port === 1 ? 2 : 1 });
    });
    const started = lasting.start().catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(await started).toBeInstanceOf(ConnectionLostError);
    expect(attempts.length).toBeLessThan(50);
  });

  it('fails at once at the start if Redis refuses, and after ten seconds if it is away', async () => {
    const refused = lab('redis://one', () => new RedisRefusedError('It has the wrong settings.'));
    await expect(refused.lasting.start()).rejects.toThrow('wrong settings');
    const late = lab('redis://one', () => away());
    const started = late.lasting.start().catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(await Promise.race([started, Promise.resolve('not yet')])).toBe('not yet');
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await started).toBeInstanceOf(ConnectionLostError);
  });
});

describe('the version of Redis', () => {
  it.each([
    ['6.2.14', false],
    ['7.0.0', true],
    ['10.1.2', true],
    ['', false],
  ])('%s is accepted: %s', async (version, isAccepted) => {
    const link = new FakeLink(new FakeNetwork(() => 0));
    vi.spyOn(link, 'send').mockResolvedValue(Buffer.from(`redis_version:${version}\r\nrole:master\r\n`));
    const checked = checkServer(link, { replicas: 0 }).then(
      () => true,
      (error: unknown) => error,
    );
    expect(await checked).toEqual(isAccepted ? true : expect.any(RedisRefusedError));
  });
});
