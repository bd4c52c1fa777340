import type { TopicPage, PublishAnswer } from '@fanfare/protocol';
import { io, type Socket } from 'socket.io-client';
import { describe, expect, it } from 'vitest';
import { sleep, soonMs, until, within } from '../../../../test/waits.ts';
import { fanfare, outcome, temporaryDirectory } from '../../../cli/test/harness.ts';
import { declareTopics, publishHttp, readHistory } from './http.ts';
import { seeded } from './random.ts';
import { ServerProcess, startServerProcess } from './server-process.ts';

const cycles = Number(process.env['FANFARE_KILL_CYCLES'] ?? 10) / 5;
const topicsMax = 50;
const rules = [
  { match: 'passing/**', keep: 'none', create: 'publish' },
  { match: 'kept/**', create: 'publish' },
];
const flags = ['--topics-max', String(topicsMax), '--rules', JSON.stringify(rules)];

/**
 * The number of topics that are declared, and of those that keep messages: the others are forgotten now and
 * then.
 */
const [declaredCount, keptCount] = [5, 10];

async function connect(url: string): Promise<Socket> {
  const client = io(url, { transports: ['websocket'], forceNew: true, reconnection: false });
  const connected = new Promise<void>((resolve, reject) => {
    client.once('connect', resolve);
    client.once('connect_error', reject);
  });
  await within(soonMs, 'the client connects', connected);
  return client;
}

async function listTopics(url: string): Promise<readonly string[]> {
  const response = await fetch(`${url}/topics?limit=1000`);
  const { topics } = (await response.json()) as TopicPage;
  return topics.map(({ topic }) => topic);
}

/** Repeats an action until the server has ended. */
async function untilGone(url: string, act: (at: number) => Promise<unknown>): Promise<void> {
  let at = 0;
  const isGone = async (): Promise<boolean> => {
    try {
      await act(at);
    } catch (error) {
      // Without a server, `fetch` fails with a TypeError, and a client reports that it was disconnected.
      if (error instanceof TypeError || (error as Error).message.includes('disconnected')) return true;
      throw error;
    }
    return at++ % 10 === 0 && (await fetch(url).catch(() => undefined)) === undefined;
  };
  await until('the server is gone', isGone, { step: async () => {}, soFar: () => `${at} acts`, ms: 60_000 });
}

describe('a server that is killed while it forgets names', () => {
  it(
    'a server that is killed while it forgets names keeps every declared topic and message, within the limit of topics',
    { timeout: 120_000 + cycles * 10_000 },
    async () => {
      const random = seeded('unused topics');
      const data = temporaryDirectory();
      const declared = new Set<string>();
      const kept = new Map<string, string>();
      let names = 0;

      /**
       * Subscribes to a new name and leaves it, and now and then to a name that is always used in this way.
       */
      const subscribing = async (url: string, client: Socket): Promise<void> => {
        await untilGone(url, async (at) => {
          const topic = at % 4 === 0 ? `again/${at % 3}` : `name/${names++}`;
          const answer: unknown = await client.timeout(10_000).emitWithAck('subscribe', { topic });
          expect(answer).toMatchObject({ ok: true });
          await client.timeout(10_000).emitWithAck('unsubscribe', { topic });
        });
      };
      const passing = async (url: string): Promise<void> => {
        await untilGone(url, async () => {
          const batch = Array.from({ length: random.between(1, 2 * topicsMax) }, () => ({
            topic: `passing/${names++}`,
            message: 1,
          }));
          const response = await fetch(`${url}/publish`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(batch),
          });
          const answers = (await response.json()) as PublishAnswer[];
          expect(answers.filter(({ ok }) => !ok)).toEqual([]);
        });
      };
      const keeping = async (url: string): Promise<void> => {
        await untilGone(url, async (at) => {
          if (at % 5 === 0) {
            const topic = `declared/${random.below(declaredCount)}`;
            await declareTopics(url, [topic]);
            declared.add(topic);
          }
          const id = `id ${names++}`;
          const topic = `kept/${random.below(keptCount)}`;
          const [answer] = await publishHttp(url, { topic, message: id, id });
          if (answer?.kind === 'unknown') throw new TypeError('the server is gone');
          expect(answer?.kind).toBe('ok');
          kept.set(id, topic);
        });
      };

      for (let cycle = 0; cycle < cycles; cycle++) {
        const { server, url } = await startServerProcess({ data, port: 0, flags });
        const topics = await listTopics(url);
        expect(topics.length).toBeLessThanOrEqual(topicsMax);
        expect(topics).toEqual(expect.arrayContaining([...declared]));
        const clients = await Promise.all([1, 2, 3].map(async () => connect(url)));
        const load = Promise.all([
          ...clients.map(async (client) => subscribing(url, client)),
          passing(url),
          keeping(url),
        ]);
        // Time itself is the test: the server is killed at any moment.
        await sleep(random.between(50, 700));
        await server.kill();
        for (const client of clients) client.close();
        await load;
      }
      expect(await outcome(fanfare('store', 'verify', data))).toMatchObject({ code: 0 });
      const server = new ServerProcess({ data, port: 0, flags });
      const url = await server.url();
      const found = new Map((await readHistory(url)).map(({ id, topic }) => [id, topic]));
      for (const [id, topic] of kept) expect([id, found.get(id)]).toEqual([id, topic]);
      expect(kept.size).toBeGreaterThan(cycles);
      await declareTopics(url, ['one more']);
      expect((await listTopics(url)).length).toBeLessThanOrEqual(topicsMax);
    },
  );
});
