import { describe, expect, it } from 'vitest';
import { bearer, secret } from '../access/tokens.ts';
import { startServer } from '../harness.ts';
import { RedisProxy } from './redis-proxy.ts';
import { RedisServer } from './redis-server.ts';

const admin = await bearer({ sub: 'root', admin: true, publish: ['**'], subscribe: ['**'] });

interface Setup {
  readonly redis: RedisServer;
  readonly proxy: RedisProxy;
  /** Sends a request without a body. @returns the status, and the error if there is one */
  readonly request: (method: string, path: string) => Promise<[status: number, problem: Problem]>;
}

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly retryable?: boolean;
}

async function start(): Promise<Setup> {
  const redis = await RedisServer.start();
  const proxy = await RedisProxy.to(redis.port);
  const logger = { warn: () => {}, error: () => {} };
  const { url } = await startServer({ redis: `redis://127.0.0.1:${proxy.port}`, key: secret, logger });
  const request: Setup['request'] = async (method, path) => {
    const response = await fetch(`${url}${path}`, { method, headers: admin });
    const text = await response.text();
    return [response.status, text === '' ? {} : (JSON.parse(text) as Problem)];
  };
  return { redis, proxy, request };
}

const isFunction =
  (name: string) =>
  ([, called = '']: readonly string[]): boolean =>
    called.endsWith(`_${name}`);

/** The changes by their functions, each with the results that sending it again can have. */
const changes = [
  ['declare', 'PUT', '/topic?topic=news', [200]],
  ['delete', 'DELETE', '/topic?topic=old', [404]],
  ['revoke', 'PUT', '/revocations?subject=ann', [200]],
] as const;

describe('a change whose answer Redis cannot give', () => {
  it.each(changes)(
    'when the answer to %s is lost, the server says that the outcome is unknown, and the request can be sent again',
    async (name, method, path, again) => {
      const { proxy, request } = await start();
      await request('PUT', '/topic?topic=old');
      const loss = proxy.loseReply(1, isFunction(name));
      const [status, problem] = await request(method, path);
      expect(loss.hasHappened).toBe(true);
      expect([status, problem]).toMatchObject([503, { code: 'outcome_unknown', retryable: true }]);
      // Only a publish has an id.
      expect(problem.detail).not.toMatch(/`id`|message/);
      await expect.poll(async () => (await request(method, path))[0]).toBeOneOf([...again]);
    },
  );

  it.each(changes)(
    'when %s is not sent, the server says that it did not happen',
    async (_name, method, path) => {
      const { proxy, request } = await start();
      await request('PUT', '/topic?topic=old');
      const refusal = proxy.refuse();
      proxy.cut();
      await expect.poll(async () => (await request('GET', '/readyz'))[0]).toBe(503);
      expect(await request(method, path)).toMatchObject([503, { code: 'storage_unavailable' }]);
      refusal.lift();
    },
  );

  it('when a topic is declared and its state cannot be read afterwards, the server says that the outcome is unknown', async () => {
    const { proxy, request } = await start();
    const loss = proxy.loseReply(1, isFunction('topic_state'));
    const [status, body] = await request('PUT', '/topic?topic=news');
    expect(loss.hasHappened).toBe(true);
    expect([status, body]).toEqual([503, expect.objectContaining({ code: 'outcome_unknown' })]);
  });
});
