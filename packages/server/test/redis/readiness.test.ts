import type { ServerOptions } from '@fanfare/server';
import { describe, expect, it } from 'vitest';
import { sleep, until } from '../../../../test/waits.ts';
import { startServer } from '../harness.ts';
import { RedisServer } from './redis-server.ts';

interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<
    Record<string, { ok: boolean; reason?: string; warning?: string; stored?: string }>
  >;
}

async function readiness(url: string): Promise<Readiness & { readonly status: number }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, ...((await response.json()) as Readiness) };
}

interface Node {
  readonly url: string;
  /** What it has logged. */
  readonly said: string[];
}

async function startNode(redis: RedisServer, options: ServerOptions = {}): Promise<Node> {
  const said: string[] = [];
  const say = (_fields: object, sentence: string): void => void said.push(sentence);
  const { url } = await startServer({ redis: redis.url, logger: { warn: say, error: say }, ...options });
  return { url, said };
}

/** Redis and other nodes do not tell when a node notices something. */
const pause = { step: () => sleep(50) };

async function untilStatus(url: string, status: number): Promise<void> {
  await until(`/readyz says ${status}`, async () => (await readiness(url)).status === status, pause);
}

describe('GET /readyz of a server with its log on Redis', () => {
  it('a server is not ready within two seconds after Redis stops answering, says so in words, and is ready again afterwards', async () => {
    const redis = await RedisServer.start({ config: ['requirepass hunter2'] });
    const { url } = await startNode(redis);
    await untilStatus(url, 200);
    expect(await readiness(url)).toEqual({
      status: 200,
      ready: true,
      checks: {
        log: { ok: true, stored: 'memory' },
        redis: { ok: true },
        nodes: { ok: true },
        running: { ok: true },
      },
    });
    redis.pause();
    const pausedAt = performance.now();
    await untilStatus(url, 503);
    // Half a second for a busy machine.
    expect(performance.now() - pausedAt).toBeLessThan(2_500);
    const { ready, checks } = await readiness(url);
    expect(ready).toBe(false);
    expect(checks['log']?.reason).toMatch(/^Redis (?:does not answer|cannot be reached)\.$/);
    redis.resume();
    await untilStatus(url, 200);
    await redis.kill();
    await untilStatus(url, 503);
    const answer = await readiness(url);
    expect(answer.checks['log']).toEqual({ ok: false, reason: 'Redis cannot be reached.' });
    expect(answer.checks['redis']).toEqual({ ok: false, reason: 'Redis cannot be reached.' });
    expect(JSON.stringify(answer)).not.toMatch(/hunter2|127\.0\.0\.1|:\d{4}/);
    await redis.restart();
    await untilStatus(url, 200);
  });

  it('`/readyz` names the level at which Redis stores', async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
    const { url } = await startNode(redis);
    expect((await readiness(url)).checks['log']).toEqual({ ok: true, stored: 'disk' });
  });

  it('the node whose rules differ from those of most nodes says so in `/readyz` and once in its log, and stays ready', async () => {
    const redis = await RedisServer.start();
    const rules = [{ match: 'prices/**', keep: { count: 5 } }] as const;
    const one = await startNode(redis, { rules });
    const two = await startNode(redis, { rules });
    const odd = await startNode(redis, { rules: [{ match: 'prices/**', keep: { count: 6 } }] });
    const warningOf = async ({ url }: Node): Promise<string | undefined> =>
      (await readiness(url)).checks['nodes']?.warning;
    await until('the odd node warns', async () => (await warningOf(odd)) !== undefined, pause);
    const differs = 'The rules or limits of this node differ from those of other nodes.';
    expect(await readiness(odd.url)).toMatchObject({
      status: 200,
      checks: { nodes: { ok: true, warning: differs } },
    });
    // Two beats of each node.
    await sleep(2_100);
    expect(odd.said.filter((sentence) => sentence.startsWith(differs))).toHaveLength(1);
    expect([await warningOf(one), await warningOf(two)]).toEqual([undefined, undefined]);
    expect([...one.said, ...two.said]).toEqual([]);
  });

  it('two nodes with different limits both say so', async () => {
    const redis = await RedisServer.start();
    const nodes = [await startNode(redis), await startNode(redis, { topicsMax: 77 })];
    for (const { url, said } of nodes) {
      const warns = async (): Promise<boolean> =>
        (await readiness(url)).checks['nodes']?.warning !== undefined;
      await until('both nodes warn', warns, pause);
      expect(said).toHaveLength(1);
    }
  });
});
