import { createServer, type ServerOptions } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stats, WebhookStats } from '@fanfare/protocol';
import { openApi } from '@fanfare/protocol/api';
import { until } from '../../../../test/waits.ts';
import { Judge } from '../api/judge.ts';
import { connectClient, startServer, type RunningServer } from '../harness.ts';
import { temporaryDirectory } from '../http-tools.ts';
import { accept, answer, isAuthentic, secret, TestReceiver } from './test-receiver.ts';

const webhookNetworks = '127.0.0.1';

/** A logger that keeps the lines. */
function recordingLogger(): NonNullable<ServerOptions['logger']> & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (fields: object, message: string): void => void lines.push(JSON.stringify(fields) + message);
  return { lines, warn: keep, error: keep };
}

function rule(
  { url }: { readonly url: string },
  on: readonly ('message' | 'occupied' | 'vacated' | 'closed')[] = ['message'],
) {
  return { match: 'orders/*', create: 'publish' as const, webhook: { url, on, secret } };
}

async function start(receiver: TestReceiver, options: ServerOptions = {}): Promise<RunningServer> {
  return startServer({ rules: [rule(receiver)], webhookNetworks, logger: recordingLogger(), ...options });
}

async function figures({ server }: Pick<RunningServer, 'server'>): Promise<WebhookStats> {
  const [figure] = ((await server.stats()) satisfies Stats).webhooks ?? [];
  if (!figure) throw new Error('/stats has no webhooks');
  return figure;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe('messages', () => {
  it('each stored message is posted once, in order and signed, with its envelope', async () => {
    const receiver = await TestReceiver.start();
    const { server, url } = await start(receiver);
    const published: { readonly offset?: string; readonly time: number }[] = [];
    for (const at of numbers(20)) published.push(await server.publish('orders/7', { at, text: 'Ä' }));
    await server.publish('other', 1, { create: true });
    await server.publish('orders/8', 'last', { id: 'an id' });
    await receiver.accepts(21);
    expect(receiver.messages).toEqual({
      'orders/7': numbers(20).map((at) => ({ at, text: 'Ä' })),
      'orders/8': ['last'],
    });
    const first = receiver.got.find(({ body }) => body.data.offset === published[0]?.offset);
    expect(first?.body).toEqual({
      type: 'message',
      timestamp: new Date(published[0]?.time ?? 0).toISOString(),
      data: {
        topic: 'orders/7',
        message: { at: 0, text: 'Ä' },
        offset: published[0]?.offset,
        time: published[0]?.time,
      },
    });
    expect(first?.headers['content-type']).toBe('application/json');
    for (const got of receiver.got) {
      expect(await isAuthentic(got)).toBe(true);
      expect(await isAuthentic({ ...got, text: got.text.replace('orders', 'ordres') })).toBe(false);
      expect(await isAuthentic({ ...got, headers: { ...got.headers, 'webhook-timestamp': '1' } })).toBe(
        false,
      );
    }
    expect(new Set(receiver.got.map(({ id }) => id)).size).toBe(21);
    const stats = (await (await fetch(`${url}/stats`)).json()) as Stats;
    const judge = new Judge(openApi('1.2.3'));
    expect(judge.faultsOf('Stats', stats)).toEqual([]);
    expect(judge.faultsOf('Stats', { ...stats, webhooks: [{ match: 'a' }] })).not.toEqual([]);
    expect(stats.webhooks).toMatchObject([
      { match: 'orders/*', state: 'delivering', delivered: 21, failures: 0, waiting: 0, gaps: 0 },
    ]);
  });

  it('a topic keeps its order while the receiver fails in every way, and each attempt has the same id', async () => {
    const receiver = await TestReceiver.start();
    const running = await start(receiver);
    const ways = [
      answer(500),
      answer(302, { location: receiver.url }),
      answer(404),
      answer(304),
      (_got: unknown, _response: unknown, socket: { resetAndDestroy(): unknown }) =>
        void socket.resetAndDestroy(),
      (_got: unknown, _response: unknown, socket: { end(text: string): unknown }) =>
        void socket.end('nonsense\r\n\r\n'),
    ];
    const failed = new Map<string, number>();
    receiver.behaviour = (got, response, socket) => {
      const { topic, message } = got.body.data;
      const way = ways[Number(message)];
      // The second topic never fails, so it is not held up.
      if (topic === 'orders/2' || failed.has(got.id) || !way) {
        receiver.accepted.push(got);
        return accept(got, response, socket);
      }
      failed.set(got.id, 1);
      way(got, response, socket);
    };
    for (const at of numbers(8)) {
      await running.server.publish('orders/1', at);
      await running.server.publish('orders/2', at);
    }
    await receiver.accepts(16);
    expect(receiver.messages).toEqual({ 'orders/1': numbers(8), 'orders/2': numbers(8) });
    expect(failed.size).toBe(6);
    expect(receiver.got.length).toBe(22);
    expect(await figures(running)).toMatchObject({
      delivered: 16,
      failures: 6,
      state: 'delivering',
      waiting: 0,
    });
  });

  it('many failing topics are tried again at the same time, without a warning of Node', async () => {
    const warnings: string[] = [];
    const keep = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', keep);
    onTestFinished(() => void process.off('warning', keep));
    const receiver = await TestReceiver.start();
    const { server } = await start(receiver);
    receiver.behaviour = answer(500);
    await Promise.all(numbers(30).map((at) => server.publish(`orders/${at}`, at)));
    await receiver.gets(60);
    receiver.behaviour = accept;
    await receiver.accepts(30);
    expect(Object.keys(receiver.messages)).toHaveLength(30);
    expect(warnings).toEqual([]);
  });

  it('the first rule that matches a topic decides whether its messages are posted', async () => {
    const receiver = await TestReceiver.start();
    const rules = [{ match: 'orders/secret', create: 'publish' as const }, rule(receiver)];
    const { server } = await start(receiver, { rules });
    await server.publish('orders/secret', 1);
    await server.publish('orders/public', 2);
    await receiver.accepts(1);
    expect(receiver.messages).toEqual({ 'orders/public': [2] });
  });

  it('a webhook that comes back after a run without it continues where it was, and is told what was deleted', async () => {
    const receiver = await TestReceiver.start();
    const data = await temporaryDirectory();
    const rules = [{ ...rule(receiver), match: 'news', keep: { count: 2 } }];
    const first = await start(receiver, { data, rules });
    await first.server.publish('news', 1);
    await receiver.accepts(1);
    receiver.behaviour = answer(500);
    await first.server.publish('news', 2);
    await receiver.gets(2);
    await first.server.stop();
    // The next run appends four messages, of which two stay.
    const second = await start(receiver, { data, rules: [{ match: 'news', keep: { count: 2 } }] });
    for (const at of [3, 4, 5, 6]) await second.server.publish('news', at);
    await second.server.stop();
    receiver.behaviour = accept;
    await start(receiver, { data, rules });
    await receiver.accepts(3);
    expect(receiver.accepted.map(({ body: { data: of, gap } }) => [of.message, gap])).toEqual([
      [1, undefined],
      [5, {}],
      [6, undefined],
    ]);
  });

  it('the position moves on while only other topics get messages', async () => {
    const receiver = await TestReceiver.start();
    const running = await start(receiver, { rules: [rule(receiver), { match: '**', create: 'publish' }] });
    await Promise.all(numbers(4_200).map((at) => running.server.publish('prices/1', at)));
    const sequenceOf = ({ offset = '.' }: WebhookStats): number => Number(offset.split('.')[1]);
    await until('the position is behind by less', async () => sequenceOf(await figures(running)) > 4_096);
    expect(receiver.got).toEqual([]);
    await running.server.publish('orders/7', 'tea');
    await receiver.accepts(1);
  });

  it('a receiver that hangs delays no publish, and the server holds a bounded part of the log for it', async () => {
    const receiver = await TestReceiver.start();
    const running = await start(receiver);
    receiver.behaviour = () => {};
    for (const piece of numbers(100)) {
      await Promise.all(
        numbers(100).map((at) => running.server.publish(`orders/${at}`, { piece, text: 'x'.repeat(1_000) })),
      );
    }
    await receiver.gets(8);
    const { waiting, delivered } = await figures(running);
    expect(delivered).toBe(0);
    expect(waiting).toBeGreaterThan(0);
    expect(waiting).toBeLessThanOrEqual(256);
    expect(receiver.openMax).toBe(8);
  });

  it('a receiver that hangs delays only its own rule', async () => {
    const hanging = await TestReceiver.start();
    const working = await TestReceiver.start();
    hanging.behaviour = () => {};
    const { server } = await start(working, {
      rules: [{ ...rule(hanging), match: 'orders/slow' }, rule(working)],
    });
    for (const at of numbers(20)) {
      await server.publish('orders/slow', at);
      await server.publish('orders/7', at);
    }
    await working.accepts(20);
    await hanging.gets(1);
    expect(working.messages).toEqual({ 'orders/7': numbers(20) });
    expect(hanging.got).toHaveLength(1);
  });

  it('the receiver is told when messages were deleted before they were delivered', async () => {
    const receiver = await TestReceiver.start();
    const logger = recordingLogger();
    const rules = [{ ...rule(receiver), keep: { count: 1 } }];
    const running = await start(receiver, { rules, logger });
    receiver.behaviour = answer(500);
    for (const at of numbers(20)) await running.server.publish('orders/7', `${at} ${'x'.repeat(100_000)}`);
    receiver.behaviour = accept;
    await until(
      'the newest message is delivered',
      () => receiver.accepted.at(-1)?.body.data.message?.toString().startsWith('19 ') === true,
    );
    expect(receiver.accepted.filter(({ body }) => body.gap)).toHaveLength(1);
    expect(receiver.accepted.at(-1)?.body.gap).toEqual({});
    expect(receiver.accepted.length).toBeLessThan(20);
    expect((await figures(running)).gaps).toBeGreaterThan(0);
    expect(logger.lines.filter((line) => line.includes('deleted before they were delivered'))).toHaveLength(
      1,
    );
  });

  it('a receiver that answers 503 with `Retry-After` gets no request before that time', async () => {
    const receiver = await TestReceiver.start();
    const { server } = await start(receiver);
    const times: number[] = [];
    receiver.behaviour = (got, response, socket) => {
      times.push(performance.now());
      receiver.behaviour = accept;
      answer(503, { 'retry-after': '2' })(got, response, socket);
    };
    await server.publish('orders/7', 1);
    await receiver.gets(1);
    await server.publish('orders/8', 2);
    await receiver.accepts(2);
    // Without the header, the second attempt comes after half a second at most, and the other topic at once.
    expect(performance.now() - (times[0] ?? 0)).toBeGreaterThan(1_900);
  });

  it('a receiver that answers 410 gets no further request until the server is restarted', async () => {
    const receiver = await TestReceiver.start();
    const logger = recordingLogger();
    const data = await temporaryDirectory();
    const first = await start(receiver, { data, logger });
    receiver.behaviour = answer(410);
    await first.server.publish('orders/7', 1);
    await receiver.gets(1);
    await until('the webhook is gone', async () => (await figures(first)).state === 'gone');
    await first.server.publish('orders/7', 2);
    await first.server.publish('orders/8', 3);
    await first.server.stop();
    expect(receiver.got).toHaveLength(1);
    expect(logger.lines.some((line) => line.includes('410'))).toBe(true);
    receiver.behaviour = accept;
    await start(receiver, { data });
    await receiver.accepts(3);
    expect(receiver.messages).toEqual({ 'orders/7': [1, 2], 'orders/8': [3] });
  });
});

describe('restarts', () => {
  it('a restarted server continues where it stopped: nothing is lost, and repeats have the same id', async () => {
    const receiver = await TestReceiver.start();
    const data = await temporaryDirectory();
    const first = await start(receiver, { data });
    for (const at of numbers(10)) await first.server.publish('orders/1', at);
    await receiver.accepts(10);
    receiver.behaviour = answer(500);
    for (const at of numbers(10)) await first.server.publish(`orders/${at % 2}`, 10 + at);
    await receiver.gets(12);
    await first.server.stop();
    receiver.behaviour = accept;
    const second = await start(receiver, { data });
    for (const at of numbers(5)) await second.server.publish('orders/1', 20 + at);
    await receiver.accepts(25);
    expect(receiver.messages).toEqual({
      'orders/0': [10, 12, 14, 16, 18],
      'orders/1': [...numbers(10), 11, 13, 15, 17, 19, 20, 21, 22, 23, 24],
    });
    expect(await figures(second)).toMatchObject({ gaps: 0 });
    const byOffset = new Map<string | undefined, string>();
    for (const { id, body } of receiver.got) {
      expect(byOffset.get(body.data.offset) ?? id).toBe(id);
      byOffset.set(body.data.offset, id);
    }
  });

  it('the webhook of a new rule begins with new messages', async () => {
    const receiver = await TestReceiver.start();
    const data = await temporaryDirectory();
    const without = await start(receiver, { data, rules: [{ match: '**', create: 'publish' }] });
    await without.server.publish('orders/7', 'before');
    await without.server.stop();
    const { server } = await start(receiver, { data });
    await server.publish('orders/7', 'after');
    await receiver.accepts(1);
    expect(receiver.messages).toEqual({ 'orders/7': ['after'] });
  });

  it('a webhook whose log was deleted begins with new messages, and tells the receiver that some are missing', async () => {
    const receiver = await TestReceiver.start();
    const data = await temporaryDirectory();
    const first = await start(receiver, { data });
    await first.server.publish('orders/7', 1);
    await receiver.accepts(1);
    await first.server.stop();
    for (const name of await readdir(data)) if (name !== 'webhooks.json') await rm(join(data, name));
    const second = await start(receiver, { data });
    await second.server.publish('orders/7', 2);
    await receiver.accepts(2);
    expect(receiver.accepted.map(({ body: { data: of, gap } }) => [of.message, gap])).toEqual([
      [1, undefined],
      [2, {}],
    ]);
  });

  it('a server whose file of positions is damaged does not start, and says what to do', async () => {
    const receiver = await TestReceiver.start();
    const data = await temporaryDirectory();
    const first = await start(receiver, { data });
    await first.server.stop();
    await writeFile(join(data, 'webhooks.json'), '{"version":1,');
    const second = createServer({ port: 0, data, webhookNetworks, rules: [rule(receiver)] });
    onTestFinished(() => second.stop());
    await expect(second.start()).rejects.toThrow(/'webhooks\.json' in the data directory .* cannot be read/);
  });
});

describe('events of topics', () => {
  it('the receiver is told when a topic gets its first subscriber, and when it loses its last one', async () => {
    const receiver = await TestReceiver.start();
    const { url } = await start(receiver, { rules: [rule(receiver, ['occupied', 'vacated'])] });
    const one = await connectClient(url);
    const other = await connectClient(url);
    await one.emitWithAck('subscribe', { topic: 'orders/7' });
    await receiver.accepts(1);
    await other.emitWithAck('subscribe', { topic: 'orders/7', envelope: true });
    // A second subscribe with `from` replaces the subscription.
    await one.emitWithAck('subscribe', { topic: 'orders/7', from: 'earliest' });
    await one.emitWithAck('unsubscribe', { topic: 'orders/7' });
    await other.emitWithAck('subscribe', { topic: 'orders/8' });
    await receiver.accepts(2);
    other.close();
    await receiver.accepts(4);
    const told = receiver.got.map(({ body: { type, data } }) => [data.topic, type]);
    expect(told.filter(([topic]) => topic === 'orders/7').map(([, type]) => type)).toEqual([
      'occupied',
      'vacated',
    ]);
    expect(told.filter(([topic]) => topic === 'orders/8').map(([, type]) => type)).toEqual([
      'occupied',
      'vacated',
    ]);
    for (const got of receiver.got) expect(await isAuthentic(got)).toBe(true);
  });

  it('a deleted topic is `closed` after the messages that it had', async () => {
    const receiver = await TestReceiver.start();
    const { server } = await start(receiver, { rules: [rule(receiver, ['message', 'closed'])] });
    receiver.behaviour = answer(500);
    for (const at of numbers(3)) await server.publish('orders/7', at);
    await receiver.gets(1);
    await server.delete('orders/7');
    receiver.behaviour = accept;
    await server.publish('orders/7', 'again');
    await receiver.accepts(5);
    expect(
      receiver.accepted.map(({ body: { type, data } }) => (type === 'message' ? data.message : type)),
    ).toEqual([0, 1, 2, 'closed', 'again']);
  });

  it('an event of a topic comes after all earlier messages of the topic, also those that still wait in the log', async () => {
    const receiver = await TestReceiver.start();
    const { server } = await start(receiver, { rules: [rule(receiver, ['message', 'occupied'])] });
    receiver.behaviour = answer(500);
    for (const at of numbers(400)) await server.publish('orders/7', at);
    await receiver.gets(1);
    await server.subscribe('orders/7').ready;
    await server.publish('orders/7', 'later');
    receiver.behaviour = accept;
    await receiver.accepts(402);
    const told = receiver.accepted.map(({ body: { type, data } }) => data.message ?? type);
    expect(told).toEqual([...numbers(400), 'occupied', 'later']);
  });

  it('events that were not delivered when the server stopped are delivered after its restart', async () => {
    const receiver = await TestReceiver.start();
    const data = await temporaryDirectory();
    const rules = [rule(receiver, ['occupied', 'vacated'])];
    const first = await start(receiver, { data, rules });
    const client = await connectClient(first.url);
    receiver.behaviour = answer(500);
    await client.emitWithAck('subscribe', { topic: 'orders/7' });
    await receiver.gets(1);
    await first.server.stop();
    receiver.behaviour = accept;
    await start(receiver, { data, rules });
    await receiver.accepts(2);
    expect(receiver.accepted.map(({ body }) => body.type)).toEqual(['occupied', 'vacated']);
    expect(receiver.accepted[0]?.id).toBe(receiver.got[0]?.id);
  });

  it('events beyond the limit are dropped and counted, and the next one says how many are missing', async () => {
    const receiver = await TestReceiver.start();
    const running = await start(receiver, { rules: [rule(receiver, ['closed'])] });
    const held: (() => void)[] = [];
    receiver.behaviour = (...exchange) => void held.push(() => accept(...exchange));
    for (const from of numbers(42)) {
      await Promise.all(
        numbers(100).map(async (at) => {
          const topic = `orders/${from}-${at}`;
          await running.server.declare(topic);
          await running.server.delete(topic);
        }),
      );
    }
    expect(await figures(running)).toMatchObject({ waiting: 4_096, eventsDropped: 104 });
    receiver.behaviour = accept;
    for (const answerLate of held) answerLate();
    await receiver.accepts(4_096 - held.length);
    await running.server.declare('orders/next');
    await running.server.delete('orders/next');
    const isNext = (): boolean => receiver.accepted.at(-1)?.body.data.topic === 'orders/next';
    await until('the receiver gets the next event', isNext);
    expect(receiver.accepted.at(-1)?.body.gap).toEqual({ dropped: 104 });
  });
});

describe('secrets and addresses', () => {
  it('a webhook does not connect to a private address, whether the URL has it or a name leads to it', async () => {
    const receiver = await TestReceiver.start();
    const { port } = new URL(receiver.url);
    for (const origin of [
      `http://127.0.0.1:${port}`,
      `http://localhost:${port}`,
      `http://[::ffff:127.0.0.1]:${port}`,
      `http://2130706433:${port}`,
    ]) {
      const running = await start(receiver, {
        rules: [rule({ url: `${origin}/` })],
        webhookNetworks: '10.0.0.0/8',
      });
      await running.server.publish('orders/7', 1);
      await until('the request fails', async () => (await figures(running)).failures > 0);
      expect((await figures(running)).lastFailure?.reason).toMatch(/not public/);
      await running.server.stop();
    }
    expect(receiver.got).toEqual([]);
    const named = await start(receiver, {
      rules: [rule({ url: `http://localhost:${port}/` })],
      webhookNetworks: '127.0.0.0/8',
    });
    await named.server.publish('orders/7', 1);
    await receiver.accepts(1);
  });

  it('secrets, and the paths of URLs, are neither in logs nor in `/stats`', async () => {
    const receiver = await TestReceiver.start();
    const recording = recordingLogger();
    const info = (fields: object, message: string): void => recording.warn(fields, message);
    const logger = { ...recording, info };
    const running = await start(receiver, { logger });
    // The line of the start has all settings.
    expect(logger.lines[0]).toContain('"match":"orders/*"');
    receiver.behaviour = answer(500);
    await running.server.publish('orders/7', 1);
    await until('the failure is logged', () => logger.lines.some((line) => line.includes('status 500')));
    const stats = await (await fetch(`${running.url}/stats`)).text();
    const topic = await (await fetch(`${running.url}/topic?topic=orders/7`)).text();
    expect(stats).toContain('status 500');
    for (const text of [stats, topic, ...logger.lines]) {
      expect(text).not.toContain('hidden');
      expect(text).not.toContain(secret.slice(6, 20));
    }
  });

  it('a file with two secrets signs each request with both', async () => {
    const receiver = await TestReceiver.start();
    const other = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
    const secretFile = join(await temporaryDirectory(), 'secret');
    await writeFile(secretFile, `${secret}\n${other}\n`, { mode: 0o600 });
    const { server } = await start(receiver, {
      rules: [{ ...rule(receiver), webhook: { url: receiver.url, on: ['message'], secretFile } }],
    });
    await server.publish('orders/7', 1);
    await receiver.accepts(1);
    const [got] = receiver.got;
    if (!got) throw new Error('there is no request');
    expect([await isAuthentic(got), await isAuthentic(got, other)]).toEqual([true, true]);
    expect(await isAuthentic(got, `whsec_${Buffer.alloc(24, 8).toString('base64')}`)).toBe(false);
  });

  it('webhooks that cannot work are refused with a sentence for each problem, without the secret', () => {
    const url = 'https://receiver.example/hook';
    const webhook = { url, on: ['message'] as const, secret };
    const problemsOf = (options: ServerOptions): string => {
      try {
        createServer(options);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    const wrong: readonly (readonly [ServerOptions, RegExp])[] = [
      [
        { rules: [{ match: 'a', webhook: { ...webhook, url: 'ftp://a' } }] },
        /webhook\.url must be an https URL/,
      ],
      [{ rules: [{ match: 'a', webhook: { ...webhook, url: 'http://a.example' } }] }, /http URL: use https/],
      [
        { rules: [{ match: 'a', webhook: { ...webhook, secret: 'whsec_c2hvcnQ=' } }] },
        /webhook\.secret must be/,
      ],
      [{ rules: [{ match: 'a', webhook: { ...webhook, secretFile: 'a' } }] }, /either secret or secretFile/],
      [{ rules: [{ match: 'a', webhook: { ...webhook, on: [] } }] }, /webhook\.on must be an array/],
      [{ rules: [{ match: 'a', keep: 'none', webhook }] }, /only stored messages are sent/],
      [
        {
          rules: [
            { match: 'a', webhook },
            { match: 'a', webhook },
          ],
        },
        /\[1\] match is the same as that of an earlier rule/,
      ],
      [{ rules: [{ match: 'a', webhook }], redis: 'redis://127.0.0.1' }, /together with `redis`/],
      [
        { rules: Array.from({ length: 65 }, (_, at) => ({ match: `a/${at}`, webhook })) },
        /have 65 webhooks \(limit: 64\)/,
      ],
      [{ webhookNetworks: '127.0.0.1/99' }, /must be addresses and networks/],
    ];
    for (const [options, problem] of wrong) {
      expect(problemsOf(options)).toMatch(problem);
      expect(problemsOf(options)).not.toContain(secret.slice(6, 20));
    }
    expect(problemsOf({ rules: [{ match: 'a', webhook }] })).toBe('');
  });
});
