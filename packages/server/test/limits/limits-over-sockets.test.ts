import { once } from 'node:events';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../../test/waits.ts';
import { connectClient, connectRaw, publish, startServer } from '../harness.ts';
import { heapBytes } from '../heap.ts';
import { RawPolling, separator } from '../hostile/wire.ts';
import { declare, openStream, subscribersOf, topicUrl } from '../http-tools.ts';

const problem = { code: 'rate_limited', status: 429, retryable: true };
const news = { topic: 'news', message: 1 };

describe('requests over a rate limit', () => {
  it('a publish over its rate limit is refused with 429 and Retry-After, and changes nothing', async () => {
    const { url } = await startServer({ publishRatePerAddressMax: 2 });
    await declare(url, 'news');
    expect((await publish(url, news)).status).toBe(200);
    expect((await publish(url, news)).status).toBe(200);
    const refused = await fetch(`${url}/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(news),
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await refused.json()).toMatchObject(problem);
    const { messages } = (await (await fetch(topicUrl(url, 'news'))).json()) as { messages: number };
    expect(messages).toBe(2);
  });

  it('publishes over HTTP and Socket.IO from one address count together, and a batch counts each message', async () => {
    const { url } = await startServer({ publishRatePerAddressMax: 4 });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    expect((await publish(url, [news, { topic: 'news' }, news])).status).toBe(200);
    expect(await client.emitWithAck('publish', news)).toMatchObject({ ok: true });
    expect(await client.emitWithAck('publish', news)).toMatchObject({ ok: false, error: problem });
    expect(JSON.parse((await publish(url, [news, news])).text)).toMatchObject(problem);
  });

  it('publishes over the rate limit are refused before their bodies are parsed', async () => {
    const { url } = await startServer({ publishRatePerAddressMax: 1 });
    await declare(url, 'news');
    // This uses up the tokens of many seconds.
    expect(
      (
        await publish(
          url,
          Array.from({ length: 1_000 }, () => news),
        )
      ).status,
    ).toBe(200);
    const lines = { 'content-type': 'application/x-ndjson' };
    // These bodies are not JSON, but the server does not parse them.
    for (const [body, headers] of [['{'], ['[{'], ['{', lines]] as const)
      expect(JSON.parse((await publish(url, body, headers)).text)).toMatchObject(problem);
  });

  it('rate limits per connection are separate, and a refusal says after how many milliseconds to retry', async () => {
    const { url } = await startServer({ publishRatePerConnectionMax: 1, subscribeRatePerConnectionMax: 2 });
    const [one, other] = [await connectClient(url), await connectClient(url)];
    for (const client of [one, other]) {
      expect(await client.emitWithAck('subscribe', { topic: 'news' })).toMatchObject({ ok: true });
      expect(await client.emitWithAck('subscribe', { topic: 'news' })).toMatchObject({ ok: true });
      expect(await client.emitWithAck('subscribe', { topic: 'more' })).toMatchObject({ error: problem });
      expect(await client.emitWithAck('publish', news)).toMatchObject({ ok: true });
      const answer = (await client.emitWithAck('publish', news)) as { error: { retryAfterMs: number } };
      expect(answer.error).toMatchObject(problem);
      expect(answer.error.retryAfterMs).toBeGreaterThan(0);
      expect(answer.error.retryAfterMs).toBeLessThanOrEqual(1_000);
    }
    expect((await fetch(topicUrl(url, 'more'))).status).toBe(404);
  });

  it('a stream counts as a subscribe against the rate limit', async () => {
    const { url } = await startServer({ subscribeRatePerAddressMax: 1 });
    await declare(url, 'news');
    await openStream(topicUrl(url, 'news', '/messages'));
    const refused = await fetch(topicUrl(url, 'news', '/messages'), {
      headers: { accept: 'text/event-stream' },
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await subscribersOf(url, 'news')).toBe(1);
  });
});

describe('connections over a limit', () => {
  it('a connection over `connectionsMax` gets 429 and is closed, and another is accepted after one has closed', async () => {
    const { url } = await startServer({ connectionsMax: 2 });
    const first = connectRaw(url);
    await within(soonMs, 'the first client connects', once(first.socket, 'connect'));
    const second = connectRaw(url);
    await within(soonMs, 'the second client connects', once(second.socket, 'connect'));
    const answer = await connectRaw(url).ended;
    expect(answer).toContain('HTTP/1.1 429 Too Many Requests');
    expect(answer).toContain('"code":"limit_exceeded"');
    first.socket.destroy();
    await first.ended;
    second.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(await second.ended).toContain('200 OK');
    expect((await publish(url, news)).status).toBe(404);
  });

  it('connections over `connectionsPerAddressMax` are refused, and polling sessions count too', async () => {
    const { url } = await startServer({ connectionsPerAddressMax: 5 });
    const open = async (): Promise<string> => {
      const { socket, ended } = connectRaw(url);
      socket.write(
        'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      );
      return ended;
    };
    // The TCP connections of these sessions are closed.
    for (let at = 0; at < 5; at++) expect(await open()).toContain('HTTP/1.1 200 OK');
    expect(await open()).toContain(
      'Limit of 5 connections per address reached (`connectionsPerAddressMax`).',
    );
  });

  it('pipelined handshakes over `connectionsPerAddressMax` are refused', async () => {
    const { url } = await startServer({ connectionsPerAddressMax: 5 });
    const { socket, ended } = connectRaw(url);
    const request = 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n';
    socket.write(`${`${request}\r\n`.repeat(99)}${request}Connection: close\r\n\r\n`);
    const answers = (await ended).split('HTTP/1.1 ').slice(1);
    const statuses = answers.map((answer) => answer.slice(0, 3));
    expect(statuses).toEqual([...Array<string>(5).fill('200'), ...Array<string>(95).fill('403')]);
  });

  it('a connection counts against its limit only while it is open, however its handshake ends', async () => {
    const { url } = await startServer({ connectionsPerAddressMax: 1 });
    const ask = async (query: string): Promise<string> => {
      const { socket, ended } = connectRaw(url);
      socket.write(
        `GET /socket.io/?${query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      );
      return ended;
    };
    // Both are admitted but get no session: a websocket without a key, and one of an older protocol.
    for (let at = 0; at < 3; at++) {
      expect(await ask('EIO=4&transport=websocket')).toContain('HTTP/1.1 400');
      expect(await ask('EIO=3&transport=websocket')).not.toContain('connections per address');
    }
    const client = await connectClient(url);
    client.close();
    await expect.poll(async () => connectClient(url).then(({ connected }) => connected)).toBe(true);
  });
});

/** A websocket that has sent only its handshake. */
async function openWebSocket(url: string, query = ''): Promise<TcpSocket> {
  const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket${query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  const [head] = (await within(soonMs, 'the server answers the handshake', once(socket, 'data'))) as [Buffer];
  expect(head.toString('latin1')).toContain('101 Switching Protocols');
  socket.resume();
  return socket;
}

/** A frame with a CONNECT packet. */
const connect = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]);

/** The first bytes of a text frame that claims to be long; its payload follows, masked with zeros. */
function longFrame(payloadBytes: number): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt16BE(0x81ff, 0);
  head.writeBigUInt64BE(BigInt(payloadBytes), 2);
  return head;
}

/** Text frames of one byte each, fragments of a message that does not end. */
const fragments = Buffer.concat([
  Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x34]),
  ...Array.from({ length: 5_000 }, () => Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x30])),
]);

describe('a connection before login', () => {
  it.each([
    ['never connects', '', 500],
    ['exceeds its limit', Array.from({ length: 1_000 }, () => '40/none,').join(separator), 600_000],
  ])(
    'a polling session that %s before login is ended, and another one can be opened',
    async (_what, packets, loginTimeoutMs) => {
      const { url } = await startServer({ connectionsPerAddressMax: 3, loginTimeoutMs });
      // The TCP connections of these close at once, but the sessions stay.
      const sessions = await Promise.all([RawPolling.open(url), RawPolling.open(url), RawPolling.open(url)]);
      await expect(RawPolling.open(url)).rejects.toThrow();
      if (packets !== '') await Promise.all(sessions.map((session) => session.post(packets)));
      // Engine.IO itself would keep a closed session for half a minute, until its next poll.
      await expect.poll(() => RawPolling.open(url).then(Boolean, () => false)).toBe(true);
    },
  );

  it.each([
    ['a frame that does not end', Buffer.concat([longFrame(1_000_000), Buffer.alloc(20_000, 0x61)])],
    ['a message in fragments that does not end', fragments],
    ['bytes that are not a websocket frame', Buffer.alloc(20_000, 0xff)],
  ])('a websocket before login is closed after %s', async (_what, bytes) => {
    const { url } = await startServer({ loginTimeoutMs: 600_000 });
    const socket = await openWebSocket(url);
    const closed = within(soonMs, 'the server closes the connection', once(socket, 'close'));
    socket.write(bytes);
    await closed;
  });

  it('a websocket that upgrades a session is closed when it sends too many bytes', async () => {
    const { url } = await startServer({ loginTimeoutMs: 600_000 });
    const client = await connectClient(url, 'polling');
    const socket = await openWebSocket(url, `&sid=${client.io.engine.id}`);
    const closed = within(soonMs, 'the server closes the connection', once(socket, 'close'));
    socket.write(Buffer.concat([longFrame(1_000_000), Buffer.alloc(20_000, 0x61)]));
    await closed;
    expect(client.connected).toBe(true);
  });

  it('a polling session before login is refused when it sends too many bytes or packets', async () => {
    const { url } = await startServer({ loginTimeoutMs: 600_000 });
    const handshake = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
    const { sid } = JSON.parse(handshake.slice(1)) as { sid: string };
    const post = (body: string): Promise<Response> =>
      fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body });
    expect((await post(`40${'a'.repeat(20_000)}`)).status).toBe(413);
    // Many small packets exceed the limit too.
    const many = Array.from({ length: 1_500 }, () => '3').join('\u001e');
    await post(many).then(async (response) => response.text());
    expect((await post('40')).status).toBe(400);
  });

  it('a login accepts a token of 8 KiB, and publishes of 1 MB are accepted after it', async () => {
    const { url } = await startServer();
    for (const transport of ['websocket', 'polling', 'upgrade'] as const) {
      const client = await connectClient(url, transport, { auth: { token: 'a'.repeat(8_192) } });
      await client.emitWithAck('subscribe', { topic: 'news' });
      const message = 'a'.repeat(1_000_000);
      expect(await client.emitWithAck('publish', { topic: 'news', message })).toMatchObject({ ok: true });
    }
  });

  it('a connection that does not log in within `loginTimeoutMs` is closed', async () => {
    const { url } = await startServer({ loginTimeoutMs: 1_000 });
    const socket = await openWebSocket(url);
    await within(soonMs, 'the server closes the connection that waits too long', once(socket, 'close'));
  });

  it('the oldest connection before login is closed over `loginsPendingMax`, and connections after login stay open', async () => {
    const { url } = await startServer({ loginTimeoutMs: 600_000, loginsPendingMax: 3 });
    const client = await connectClient(url);
    const sockets = [];
    for (let at = 0; at < 3; at++) sockets.push(await openWebSocket(url));
    const [first, ...others] = sockets;
    const closed =
      first &&
      within(soonMs, 'the server closes the connection that has waited longest', once(first, 'close'));
    await openWebSocket(url);
    await closed;
    expect(others.every(({ destroyed }) => !destroyed)).toBe(true);
    expect(client.connected).toBe(true);
  });
});

describe('a connection after login', () => {
  it.each(['websocket', 'polling'] as const)(
    'a connection over %s is closed when its client leaves the namespace and does not return',
    async (name) => {
      const { url } = await startServer({ loginTimeoutMs: 1_000 });
      const client = await connectClient(url, name);
      const closed = nextEvent(client.io.engine, 'close', "the server closes the client's transport");
      client.io.engine.write('1');
      await closed;
      expect(client.connected).toBe(false);
    },
  );

  it('a client that has left the namespace can connect to it again over the same connection', async () => {
    const { url } = await startServer({ loginTimeoutMs: 600_000 });
    const client = await connectClient(url);
    for (let at = 0; at < 3; at++) {
      expect(await client.emitWithAck('subscribe', { topic: 'news' })).toMatchObject({ ok: true });
      client.io.engine.write('1');
      await expect.poll(() => subscribersOf(url, 'news')).toBe(0);
      const back = nextEvent(client.io.engine, 'data', 'the server answers the client');
      client.io.engine.write('0');
      await back;
    }
  });

  it('a connection that connects to the namespace many times is closed', async () => {
    const { url } = await startServer({ loginTimeoutMs: 600_000 });
    const socket = await openWebSocket(url);
    const closed = within(soonMs, 'the server closes the connection', once(socket, 'close'));
    socket.write(Buffer.concat(Array.from({ length: 20 }, () => connect)));
    await closed;
  });
});

describe('a client that sends commands and does not read', () => {
  const command = Buffer.from('420["subscribe",{}]');
  const frame = Buffer.concat([Buffer.from([0x81, 0x80 | command.length, 0, 0, 0, 0]), command]);
  const flood = Buffer.concat(Array.from({ length: 2_000 }, () => frame));

  it('a client that sends commands and does not read is paused after some thousand responses, until it reads', async () => {
    const { url } = await startServer();
    const socket = await openWebSocket(url);
    socket.write(connect);
    await within(soonMs, 'the server begins to answer', once(socket, 'data'));
    socket.pause();
    const heapBefore = heapBytes();
    // The buffers of both kernels fill up, because nobody reads.
    let sent = 0;
    const blocked = async (): Promise<boolean> => {
      const drained = within(60_000, 'the server takes what was sent', once(socket, 'drain')).then(
        () => false,
      );
      // While the server reads on, it also answers other clients.
      const others = (async () => {
        for (let at = 0; at < 20; at++) await publish(url, news);
        return true;
      })();
      return Promise.race([drained, others]);
    };
    const isBlocked = async (): Promise<boolean> => {
      sent += flood.length;
      if (sent > 400_000_000)
        throw new Error('the server took 400 MB of commands that nobody reads the answers to');
      return !socket.write(flood) && (await blocked());
    };
    await until('the server reads no further', isBlocked, { soFar: () => `${sent} bytes`, ms: 60_000 });
    expect(heapBytes() - heapBefore).toBeLessThan(100_000_000);
    expect((await publish(url, news)).status).toBe(404);
    const drained = within(soonMs, 'the server reads on once its answers are read', once(socket, 'drain'));
    socket.resume();
    await drained;
  });
});
