import type { TopicPage } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { bearer, secret, tokenFor } from './access/tokens.ts';
import { connectClient, publish, startServer } from './harness.ts';
import { heapBytes } from './heap.ts';
import { temporaryDirectory } from './http-tools.ts';

/** Set FANFARE_NAMES=10000000 to try an extreme number of names; that takes some minutes. */
const names = Number(process.env['FANFARE_NAMES'] ?? 200_000);
const topicsMax = 1_000;
const bytesMax = 4 * 2 ** 20;
const atOnce = 500;

describe('an unlimited number of names', { timeout: 1_800_000 }, () => {
  it('publishes to any number of names take no memory after the limit of topics is reached', async () => {
    const rules = [{ match: '**', create: 'publish' } as const];
    const { server } = await startServer({ memory: true, topicsMax, rules });
    let refused = 0;
    const publishUpTo = async (last: number, first: number): Promise<void> => {
      for (let at = first; at < last; at += atOnce) {
        const some = Array.from({ length: Math.min(atOnce, last - at) }, async (_, more) =>
          server.publish(`name ${at + more}`, 1).catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'limit_exceeded' });
            refused++;
          }),
        );
        await Promise.all(some);
      }
    };
    // The first round also leaves compiled code in memory, which does not count.
    const warmUp = topicsMax + 20_000;
    await publishUpTo(warmUp, 0);
    const before = heapBytes();
    await publishUpTo(warmUp + names, warmUp);
    expect(heapBytes() - before).toBeLessThan(bytesMax);
    expect(refused).toBe(warmUp + names - topicsMax);
  });

  it('subscribes to any number of names take no memory after the limit of topics, and existing topics still work', async () => {
    const { url } = await startServer({ memory: true, topicsMax: 10, subscribeRatePerConnectionMax: 0 });
    const client = await connectClient(url);
    const subscribe = async (topic: string): Promise<unknown> =>
      client.emitWithAck('subscribe', { topic, envelope: true });
    for (let at = 0; at < 10; at++) expect(await subscribe(`topic ${at}`)).toMatchObject({ ok: true });
    const subscribeTo = async (count: number, what: string): Promise<void> => {
      for (let at = 0; at < count; at += atOnce) {
        const answers = await Promise.all(
          Array.from({ length: atOnce }, async (_, more) => subscribe(`${what} ${at + more}`)),
        );
        for (const answer of answers) expect(answer).toMatchObject({ error: { code: 'limit_exceeded' } });
      }
    };
    await subscribeTo(10_000, 'warm-up');
    const before = heapBytes();
    await subscribeTo(names / 10, 'name');
    expect(heapBytes() - before).toBeLessThan(bytesMax);
    expect((await publish(url, { topic: 'topic 3', message: 1 })).status).toBe(200);
    expect((await publish(url, { topic: 'name 3', message: 1 })).status).toBe(404);
  });

  it('names that clients subscribe to and leave take no memory, and none is refused', async () => {
    const { url } = await startServer({ memory: true, topicsMax, subscribeRatePerConnectionMax: 0 });
    const client = await connectClient(url);
    const comeAndGo = async (count: number, what: string): Promise<void> => {
      for (let at = 0; at < count; at += atOnce) {
        const answers = await Promise.all(
          Array.from({ length: atOnce }, async (_, more) => {
            const topic = `${what} ${at + more}`;
            const subscribed: unknown = client.emitWithAck('subscribe', { topic });
            await client.emitWithAck('unsubscribe', { topic });
            return subscribed;
          }),
        );
        for (const answer of answers) expect(answer).toMatchObject({ ok: true });
      }
    };
    await comeAndGo(10 * topicsMax, 'warm-up');
    const before = heapBytes();
    await comeAndGo(names / 10, 'name');
    expect(heapBytes() - before).toBeLessThan(bytesMax);
    const response = await fetch(`${url}/topics?prefix=name&limit=1000`);
    expect(((await response.json()) as TopicPage).topics).toHaveLength(topicsMax);
  });

  it('names that publishes create take no memory if nothing is kept, and none is refused', async () => {
    const rules = [{ match: '**', keep: 'none', create: 'publish' } as const];
    const { url } = await startServer({ data: await temporaryDirectory(), topicsMax, rules });
    const publishAll = async (count: number, what: string): Promise<void> => {
      for (let at = 0; at < count; at += 10 * atOnce) {
        const batch = Array.from({ length: 10 * atOnce }, (_, more) => ({
          topic: `${what} ${at + more}`,
          message: 1,
        }));
        const { text } = await publish(url, batch);
        expect(JSON.parse(text)).toEqual(batch.map(() => expect.objectContaining({ ok: true }) as object));
      }
    };
    await publishAll(20 * topicsMax, 'warm-up');
    const before = heapBytes();
    await publishAll(names / 10, 'name');
    expect(heapBytes() - before).toBeLessThan(bytesMax);
  });

  it('names of any number of subjects take no memory', async () => {
    const { url } = await startServer({ memory: true, topicsMax, key: secret });
    const comeAndGo = async (first: number, last: number): Promise<void> => {
      for (let at = first; at < last; at++) {
        const token = await tokenFor({ sub: `subject ${at}`, subscribe: ['**'] });
        const client = await connectClient(url, 'websocket', { auth: { token } });
        for (let more = 0; more < 10; more++) {
          const topic = `name ${at} ${more}`;
          expect(await client.emitWithAck('subscribe', { topic })).toMatchObject({ ok: true });
        }
        client.disconnect();
      }
    };
    await comeAndGo(0, 200);
    const before = heapBytes();
    await comeAndGo(200, 600);
    expect(heapBytes() - before).toBeLessThan(bytesMax);
  });

  it('refused publishes of many subjects take no more memory than those of a hundred', async () => {
    const { url } = await startServer({ memory: true, key: secret });
    const publishAs = async (first: number, last: number): Promise<void> => {
      for (let at = first; at < last; at++) {
        const topics = Array.from({ length: 1_000 }, (_, more) => `${at} ${more} `.padEnd(255, 'a'));
        const headers = await bearer({ sub: `${at}`, publish: ['something else'] });
        const batch = topics.map((topic) => ({ topic, message: 1 }));
        expect((await publish(url, batch, headers)).status).toBe(200);
      }
    };
    await publishAs(0, 100);
    const before = heapBytes();
    await publishAs(100, 300);
    expect(heapBytes() - before).toBeLessThan(2 * bytesMax);
  });
});
