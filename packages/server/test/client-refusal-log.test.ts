import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { nextEvent } from '../../../test/waits.ts';
import { ClientRefusalLog } from '../src/observability/client-refusal-log.ts';
import { connectClient, sendPacket, startServer, type RunningServer } from './harness.ts';
import { connectRawClient, RawWebSocket } from './hostile/wire.ts';

/** A server, and its log entries: each has a sentence and the fields from the client. */
async function startLogging(
  options: Parameters<typeof startServer>[0] = {},
): Promise<RunningServer & { readonly lines: unknown[][] }> {
  const lines: unknown[][] = [];
  const log = (fields: object, message: string): void =>
    void lines.push([message, (fields as { client?: unknown }).client]);
  return { ...(await startServer({ logger: { warn: log, error: log }, ...options })), lines };
}

type Client = Awaited<ReturnType<typeof connectClient>>;

const next = (client: Client, event: string): Promise<unknown> =>
  nextEvent(client, event, 'the client waits for it');

describe('an event whose arguments are not JSON', () => {
  it('an event whose arguments are not JSON is refused with a reason, and its connection stays open', async () => {
    const { url, lines } = await startLogging();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const refusal = { code: 'bad_request', detail: expect.stringContaining('NaN') as string };
    // Python's json module writes these texts.
    for (const [name, argument] of [
      ['publish', '{"topic":"news","message":NaN}'],
      ['publish', '{"topic":"news","message":[-Infinity]}'],
      ['subscribe', '{"topic":"news","from":{"last":NaN}}'],
      ['unsubscribe', '{"topic":NaN}'],
    ]) {
      const refused = next(client, 'error');
      sendPacket(client, `42["${name}",${argument}]`);
      expect([name, argument, await refused]).toMatchObject([name, argument, refusal]);
    }
    const message = next(client, 'news');
    expect(await client.emitWithAck('publish', { topic: 'news', message: 1 })).toMatchObject({ ok: true });
    expect(await message).toEqual({ message: 1 });
    expect(lines).toEqual([[expect.stringMatching(/^A client sent an event that was refused\. .*NaN/), {}]]);
  });

  it('an event whose arguments are not JSON is refused in its acknowledgement', async () => {
    const { url } = await startLogging();
    const client = await RawWebSocket.open(url);
    await connectRawClient(client);
    await client.send('427["publish",{"topic":"news","message":NaN}]');
    expect(await client.next()).toMatch(/^437\[.*bad_request/);
  });
});

describe('a packet that is not a Socket.IO packet', () => {
  it.each(['websocket', 'polling'] as const)(
    'a packet over %s that is not a Socket.IO packet ends the connection with the reason',
    async (transport) => {
      const { url, lines } = await startLogging();
      for (const [packet, sentence] of [
        ['hello', /not a packet of Socket\.IO 4/],
        ['9', /not a packet of Socket\.IO 4/],
        ['2{"a":1}', /not a packet of Socket\.IO 4/],
        ['2/news,["x",NaN]', /not a packet of Socket\.IO 4|namespace/],
      ] as const) {
        const client = await connectClient(url, transport);
        const ended = Promise.all([next(client, 'error'), next(client, 'disconnect')]);
        client.io.engine.write(packet);
        expect([packet, await ended]).toMatchObject([
          packet,
          [{ code: 'bad_request', detail: expect.stringMatching(sentence) as string }, 'transport close'],
        ]);
      }
      expect(lines[0]).toEqual([
        expect.stringMatching(/^The connection of a client was closed\. .*not a packet of Socket\.IO 4/),
        {},
      ]);
      // Each sentence is logged once.
      expect(new Set(lines.map(([line]) => line)).size).toBe(lines.length);
    },
  );

  it('a packet of a client with another parser is logged, and ends its connection', async () => {
    const { url, lines } = await startLogging();
    const client = await RawWebSocket.open(url);
    // A CONNECT packet as socket.io-msgpack-parser writes it.
    await client.send(Buffer.from('83a47479706500a36e7370a12fa464617461c0', 'hex'));
    await client.ended();
    expect(lines).toEqual([[expect.stringContaining('such as msgpack'), {}]]);
  });

  it('a client of Engine.IO 3 is refused with a code and a sentence, and logged once for each version', async () => {
    const { url, lines } = await startLogging();
    for (const version of ['3', '3', '2']) {
      const headers = { connection: 'close' };
      const response = await fetch(`${url}/socket.io/?EIO=${version}&transport=polling`, { headers });
      expect([response.status, await response.json()]).toEqual([
        400,
        { code: 5, message: 'Unsupported protocol version' },
      ]);
    }
    const sentence = expect.stringContaining('use a Socket.IO 3 or 4 client') as string;
    expect(lines).toEqual([
      [sentence, { EIO: '3' }],
      [sentence, { EIO: '2' }],
    ]);
  });
});

describe('a client that is refused for its origin or its host', () => {
  it('a client that is refused for its origin or host is logged once, with the setting that would allow it', async () => {
    const { url, lines } = await startLogging();
    const [one, other] = ['https://one.example', 'https://other.example'];
    for (const origin of [one, other, one]) {
      await expect(connectClient(url, 'websocket', { extraHeaders: { origin } })).rejects.toThrow();
      await expect(connectClient(url, 'polling', { extraHeaders: { origin } })).rejects.toThrow();
      await fetch(`${url}/topics`, { headers: { origin, connection: 'close' } });
    }
    await expect(connectClient(url, 'websocket', { extraHeaders: { host: 'rt.example' } })).rejects.toThrow();
    const { host } = new URL(url);
    const address = '127.0.0.1';
    const origins = expect.stringMatching(/^A client was refused\. .*`origins`/) as string;
    expect(lines).toEqual([
      [origins, { origin: one, host, address }],
      [origins, { origin: other, host, address }],
      [origins, { host: 'rt.example', address }],
    ]);
  });

  it('a client that is refused for its origin is logged with the address that a trusted proxy forwards', async () => {
    const { url, lines } = await startLogging({ trustProxy: '127.0.0.1', open: true });
    const headers = { origin: 'https://one.example', 'x-forwarded-for': '203.0.113.7', connection: 'close' };
    await fetch(`${url}/topics`, { headers });
    const client = { origin: 'https://one.example', host: new URL(url).host, address: '203.0.113.7' };
    expect(lines).toEqual([[expect.any(String), client]]);
  });

  it('each value is logged once a minute, and the others of a kind are counted', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const lines: unknown[] = [];
    const log = (fields: object, message: string): void => void lines.push([message, fields]);
    const refusalLog = new ClientRefusalLog({ warn: log, error: log });
    const refuse = (): void => refusalLog.log({ origin: 'https://a.example' }, 'Refused.', '203.0.113.7');
    const first = ['Refused.', { client: { origin: 'https://a.example', address: '203.0.113.7' } }];
    for (let at = 0; at < 3; at++) refuse();
    expect(lines).toEqual([first]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([first, ['2 more in the last minute: Refused.', { client: {}, repeated: 2 }]]);
    refuse();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines.slice(2)).toEqual([first]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(lines).toHaveLength(3);
  });

  it('clients that make up values and reasons cannot fill the log', () => {
    const lines: string[] = [];
    const log = (_fields: object, message: string): void => void lines.push(message);
    const refusalLog = new ClientRefusalLog({ warn: log, error: log });
    for (let at = 0; at < 5_000; at++) refusalLog.log({ origin: `https://${at}.example` }, 'Refused.');
    for (let at = 0; at < 5_000; at++) refusalLog.log({ number: String(at) }, `Reason ${at}.`);
    refusalLog.close();
    // 20 values of the first kind, 99 other kinds, 20 values of all others, and two numbers.
    expect(lines).toHaveLength(20 + 99 + 20 + 2);
    expect(lines.slice(-2)).toEqual([
      '4980 more in the last minute: Refused.',
      '4881 more in the last minute: Clients were refused for other reasons.',
    ]);
  });
});
