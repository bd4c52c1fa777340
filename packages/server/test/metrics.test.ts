import { spawnSync } from 'node:child_process';
import { rename } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { join } from 'node:path';
import { attach, type ServerOptions } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startListening, until } from '../../../test/waits.ts';
import { bearer, secret, tokenFor } from './access/tokens.ts';
import { connectClient, connectRaw, publish, startServer } from './harness.ts';
import { declare, StreamReader, temporaryDirectory } from './http-tools.ts';
import { RedisServer } from './redis/redis-server.ts';
import { tcpOf } from './slow-reader.ts';
import { answer, secret as webhookSecret, TestReceiver } from './webhooks/test-receiver.ts';

interface Measured {
  readonly url: string;
  /** The values of the samples, by their names with labels. */
  readonly read: () => Promise<ReadonlyMap<string, number>>;
  readonly text: (accept?: string) => Promise<string>;
}

async function startMeasured(options: ServerOptions = {}): Promise<Measured> {
  const { url, server } = await startServer(options);
  const text = async (accept?: string): Promise<string> => (await server.metrics(accept)).body;
  return { url, text, read: async () => samplesOf(await text()) };
}

function samplesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

/** What promtool says against the metrics. It checks the format, the names and the help. */
function complaints(text: string): string {
  const { stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  return error ? error.message : stdout + stderr;
}

describe('GET /metrics', () => {
  it('promtool has nothing to say against the metrics of a server on a disk, in memory and on Redis', async () => {
    const redis = await RedisServer.start();
    const rules = [{ match: 'a "quoted"\\topic/*', keep: 'none' as const }];
    for (const options of [{ data: await temporaryDirectory() }, {}, { redis: redis.url }]) {
      const { text } = await startMeasured({ ...options, rules });
      const metrics = await text();
      expect(metrics).toContain('fanfare_rule_publishes_total{rule="a \\"quoted\\"\\\\topic/*"} 0');
      expect(complaints(metrics)).toBe('');
    }
    expect(complaints('fanfare_bad_total{a="1"} x\n')).not.toBe('');
  });

  it('the format is that of OpenMetrics if the client accepts it, and otherwise that of Prometheus', async () => {
    const { url } = await startMeasured();
    const plain = await fetch(`${url}/metrics`);
    expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await plain.text()).toContain(
      '# TYPE fanfare_publishes_total counter\nfanfare_publishes_total 0\n',
    );
    const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
    const open = await fetch(`${url}/metrics`, { headers: { accept } });
    expect(open.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    const text = await open.text();
    expect(text).toContain('# TYPE fanfare_publishes counter\nfanfare_publishes_total 0\n');
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    // The next client gets the other format again.
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('# TYPE fanfare_publishes_total counter');
  });

  it('publishes, deliveries, duplicates and the publishes of each rule are counted, and topics have no labels', async () => {
    const { url, read, text } = await startMeasured({
      rules: [
        { match: 'prices/**', keep: 'none' },
        { match: 'inbox/${sub}', keep: { count: 10 } },
      ],
    });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'prices/*' });
    await client.emitWithAck('subscribe', { topic: 'prices/tea', envelope: true });
    await client.emitWithAck('subscribe', { topic: 'inbox/ann' });
    const messages = [
      ['prices/tea', undefined],
      ['prices/milk', undefined],
      ['inbox/ann', 'id 1'],
      ['inbox/ann', 'id 1'],
    ] as const;
    for (const [topic, id] of messages) await publish(url, { topic, message: 1, ...(id && { id }) });
    const batch = await fetch(`${url}/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([
        { topic: 'inbox/ann', message: 2 },
        { topic: 'nothing', message: 2 },
      ]),
    });
    expect(batch.status).toBe(200);
    const metrics = await read();
    const value = (name: string): number | undefined => metrics.get(name);
    expect(value('fanfare_publishes_total')).toBe(4);
    expect(value('fanfare_duplicate_publishes_total')).toBe(1);
    expect(value('fanfare_deliveries_total')).toBe(5);
    expect(value('fanfare_rule_publishes_total{rule="prices/**"}')).toBe(2);
    expect(value('fanfare_rule_publishes_total{rule="inbox/${sub}"}')).toBe(2);
    expect(value('fanfare_rule_publishes_total{rule="**"}')).toBe(0);
    expect(value('fanfare_refusals_total{code="topic_not_found"}')).toBe(1);
    expect(value('fanfare_subscriptions{state="live"}')).toBe(3);
    expect(value('fanfare_ids')).toBe(1);
    expect(await text()).not.toMatch(/tea|milk|inbox\/ann/);
  });

  it('each webhook has its deliveries, failures and what waits, by the pattern of its rule', async () => {
    const receiver = await TestReceiver.start();
    const on = ['message', 'closed'] as const;
    const webhook = { url: receiver.url, on, secret: webhookSecret };
    const logger = { warn: (): void => {}, error: (): void => {} };
    const rules = ['orders/*', 'users/${sub}'].map(
      (match) => ({ match, create: 'publish', webhook }) as const,
    );
    const { url, read, text } = await startMeasured({ rules, webhookNetworks: '127.0.0.1', logger });
    await publish(url, { topic: 'orders/7', message: 1 });
    await receiver.accepts(1);
    receiver.behaviour = answer(410);
    await publish(url, { topic: 'users/ann', message: 2 });
    await receiver.gets(2);
    const figure = async (name: string, rule: string): Promise<number | undefined> =>
      (await read()).get(`fanfare_webhook_${name}{rule="${rule}"}`);
    await until('the failure is counted', async () => (await figure('up', 'users/${sub}')) === 0);
    const names = [
      'up',
      'deliveries_total',
      'failures_total',
      'waiting',
      'gaps_total',
      'dropped_events_total',
    ];
    for (const [rule, values] of [
      ['orders/*', [1, 1, 0, 0, 0, 0]],
      ['users/${sub}', [0, 0, 1, 1, 0, 0]],
    ] as const)
      expect(await Promise.all(names.map((name) => figure(name, rule)))).toEqual(values);
    expect(complaints(await text())).toBe('');
    expect(await text()).not.toContain('hidden');
    expect(await (await startMeasured()).text()).not.toContain('fanfare_webhook');
  });

  it('no more than a hundred rules are counted on their own', async () => {
    const rules = Array.from({ length: 150 }, (_, at) => ({ match: `t${at}`, keep: { count: 10 } }));
    const { url, read } = await startMeasured({ rules });
    for (const topic of ['t0', 't148', 't149']) {
      await declare(url, topic);
      await publish(url, { topic, message: 1 });
    }
    const metrics = await read();
    const counted = [...metrics].filter(([name]) => name.startsWith('fanfare_rule_publishes_total'));
    expect(counted.length).toBe(101);
    expect(counted.filter(([, count]) => count > 0)).toEqual([
      ['fanfare_rule_publishes_total{rule="t0"}', 1],
      ['fanfare_rule_publishes_total{rule="(others)"}', 2],
    ]);
  });

  it('connections are counted by their transport', async () => {
    const { url, read } = await startMeasured();
    await connectClient(url, 'websocket');
    await connectClient(url, 'upgrade');
    await connectClient(url, 'polling');
    await declare(url, 'news');
    const stream = new StreamReader(`${url}/messages?topic=news`);
    await stream.opened();
    const metrics = await read();
    const of = (transport: string): number | undefined =>
      metrics.get(`fanfare_connections{transport="${transport}"}`);
    expect([of('websocket'), of('polling'), of('stream'), of('program')]).toEqual([2, 1, 1, 0]);
    expect(metrics.get('fanfare_sessions')).toBe(3);
  });

  it('a subscriber that does not read shows as lag and waiting bytes, and one that has lost messages as a gap', async () => {
    const { url, read } = await startMeasured({ rules: [{ match: 'short', keep: { count: 1 } }] });
    const reader = await connectClient(url);
    await reader.emitWithAck('subscribe', { topic: 'news' });
    tcpOf(reader).pause();
    const message = 'x'.repeat(500_000);
    await until('the subscription falls behind', async () => {
      await publish(url, { topic: 'news', message });
      return ((await read()).get('fanfare_lag_messages') ?? 0) > 0;
    });
    const metrics = await read();
    expect(metrics.get('fanfare_subscriptions{state="catching_up"}')).toBe(1);
    expect(metrics.get('fanfare_waiting_bytes')).toBeGreaterThan(0);
    expect(metrics.get('fanfare_gaps_total')).toBe(0);
    reader.close();
    await declare(url, 'short');
    for (const text of ['one', 'two', 'three']) await publish(url, { topic: 'short', message: text });
    const client = await connectClient(url);
    const { offset } = (await client.emitWithAck('subscribe', { topic: 'short' })) as { offset: string };
    const [epoch] = offset.split('.');
    await client.emitWithAck('unsubscribe', { topic: 'short' });
    await client.emitWithAck('subscribe', { topic: 'short', envelope: true, from: `${epoch}.0` });
    await until('the gap is counted', async () => (await read()).get('fanfare_gaps_total') === 1);
  });

  it('commits, their sizes, fsyncs, the size of the log and what retention removed are measured on a disk', async () => {
    const { url, read } = await startMeasured({
      data: await temporaryDirectory(),
      rules: [{ match: 'few', keep: { count: 1 } }],
    });
    await declare(url, 'few');
    for (let at = 0; at < 100; at++) await publish(url, { topic: 'few', message: at });
    const metrics = await read();
    expect(metrics.get('fanfare_commit_messages_sum')).toBe(100);
    expect(metrics.get('fanfare_commit_messages_bucket{le="1"}')).toBe(100);
    expect(metrics.get('fanfare_commit_duration_seconds_count')).toBe(100);
    expect(metrics.get('fanfare_commit_duration_seconds_bucket{le="+Inf"}')).toBe(100);
    expect(metrics.get('fanfare_fsync_duration_seconds_count')).toBeGreaterThanOrEqual(100);
    expect(metrics.get('fanfare_fsync_duration_seconds_sum')).toBeGreaterThan(0);
    expect(metrics.get('fanfare_log_bytes')).toBeGreaterThan(0);
    expect(metrics.get('fanfare_disk_free_bytes')).toBeGreaterThan(0);
    expect(metrics.get('fanfare_topics')).toBe(1);
    await until(
      'retention removes messages',
      async () => ((await read()).get('fanfare_removed_messages_total') ?? 0) > 50,
    );
  });

  it('a publish that the disk refuses counts as a failed commit, and the check of the log as failed', async () => {
    const data = join(await temporaryDirectory(), 'data');
    const quiet = { warn: (): void => {}, error: (): void => {} };
    const { url, read } = await startMeasured({ data, logger: quiet });
    await declare(url, 'news');
    const before = await read();
    expect(before.get('fanfare_commit_failures_total')).toBe(0);
    expect(before.get('fanfare_ready{check="log"}')).toBe(1);
    await rename(data, `${data}-moved`);
    await until(
      'a publish is refused',
      async () => (await publish(url, { topic: 'news', message: 1 })).status === 503,
    );
    const after = await read();
    expect(after.get('fanfare_commit_failures_total')).toBeGreaterThan(0);
    expect(after.get('fanfare_ready{check="log"}')).toBe(0);
    expect(after.get('fanfare_refusals_total{code="storage_unavailable"}')).toBe(1);
    await rename(`${data}-moved`, data);
  });

  it('authentications are counted by their result, and refusals of requests that are not HTTP by their code', async () => {
    const { url, read } = await startMeasured({ key: secret });
    const headers = await bearer({ admin: true });
    expect((await fetch(`${url}/stats`, { headers })).status).toBe(200);
    expect((await fetch(`${url}/stats`, { headers })).status).toBe(200);
    await connectClient(url, 'websocket', { auth: { token: await tokenFor() } });
    await expect(
      connectClient(url, 'websocket', { auth: { token: await tokenFor({ iat: -60, exp: -30 }) } }),
    ).rejects.toThrow('expired');
    const { socket, ended } = connectRaw(url);
    socket.write('what?\r\n\r\n');
    await ended;
    const metrics = await read();
    expect(metrics.get('fanfare_authentications_total{result="accepted"}')).toBe(3);
    expect(metrics.get('fanfare_authentications_total{result="token_expired"}')).toBe(1);
    expect(metrics.get('fanfare_refusals_total{code="token_expired"}')).toBe(1);
    expect(metrics.get('fanfare_refusals_total{code="bad_request"}')).toBe(1);
    const { read: readOpen } = await startMeasured();
    expect([...(await readOpen()).keys()].join()).not.toContain('fanfare_authentications_total');
  });

  it('the metrics of a node on Redis have its batches, the other nodes, and whether Redis answers', async () => {
    const redis = await RedisServer.start();
    const quiet = { warn: (): void => {}, error: (): void => {} };
    const nodes = [
      await startMeasured({ redis: redis.url, logger: quiet }),
      await startMeasured({ redis: redis.url, logger: quiet }),
    ] as const;
    const { url, read } = nodes[0];
    await declare(url, 'news');
    await publish(url, { topic: 'news', message: 1 });
    await until('the nodes know each other', async () => (await read()).get('fanfare_nodes') === 2);
    const metrics = await read();
    expect(metrics.get('fanfare_redis_up')).toBe(1);
    expect(metrics.get('fanfare_commit_messages_sum')).toBe(1);
    expect(metrics.get('fanfare_topics')).toBe(1);
    expect((await nodes[1].read()).get('fanfare_publishes_total')).toBe(0);
    await redis.kill();
    await until('Redis is missed', async () => (await read()).get('fanfare_redis_up') === 0);
    const refused = await publish(url, { topic: 'news', message: 2 });
    expect(refused.status).toBe(503);
    const without = await read();
    expect(without.get('fanfare_commit_failures_total')).toBeGreaterThan(0);
    expect(without.get('fanfare_refusals_total{code="storage_unavailable"}')).toBe(1);
    expect(without.get('fanfare_ready{check="redis"}')).toBe(0);
    expect(without.get('fanfare_redis_lost_connections_total')).toBeGreaterThan(0);
    // Redis alone knows it.
    expect(without.has('fanfare_topics')).toBe(false);
    expect(complaints(await nodes[0].text())).toBe('');
  });

  it('an app serves `/metrics` with the paths for operators, or by `metrics()`', async () => {
    const httpServer = createHttpServer((_request, response) => response.end('the app'));
    const fanfare = await attach(httpServer, { http: 'all' });
    onTestFinished(async () => {
      await fanfare.stop();
      httpServer.close();
    });
    const url = `http://127.0.0.1:${await startListening(httpServer)}`;
    const get = async (path: string): Promise<string> =>
      (await fetch(`${url}${path}`, { headers: { connection: 'close' } })).text();
    expect(await get('/metrics')).toContain('fanfare_publishes_total 0');
    expect(await get('/healthz')).toBe('{"ok":true}');
    expect(await get('/metricsx')).toBe('the app');
    const { type, body } = await fanfare.metrics('application/openmetrics-text');
    expect(type).toContain('openmetrics');
    expect(body).toContain('fanfare_publishes_total 0');
  });
});
