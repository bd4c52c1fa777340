/*
 * The exchanges that the documents of the two protocols require of a server, Engine.IO version 4 and
 * Socket.IO version 5, over bare HTTP and bare WebSockets.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, until, within } from '../../../../test/waits.ts';
import { limitKinds } from '../../src/config/limits.ts';
import { secret, tokenFor } from '../access/tokens.ts';
import { startImpatient } from '../client-end.ts';
import { publish, startServer } from '../harness.ts';
import {
  connectRawClient,
  engineUrl,
  lastOfConnection,
  parseOpen,
  RawPolling,
  rawTransports,
  RawWebSocket,
  separator,
  type Opened,
} from './wire.ts';

const sessionId = expect.stringMatching(/^[\w-]{20}$/) as string;
/** With this option no connection ends because its login takes too long. */
const patient = { loginTimeoutMs: 600_000 } as const;

const packetBytesMax = 2 * limitKinds.publishBytesMax.default + 65_536;

/** The refusal of a request without a session. */
async function refusal(target: string, init: RequestInit = {}): Promise<{ status: number; code?: number }> {
  const response = await fetch(target, { ...init, headers: lastOfConnection });
  const { code } = (await response.json()) as { readonly code?: number };
  return { status: response.status, ...(code !== undefined && { code }) };
}

/** The status of the response that refuses an upgrade. */
async function upgradeRefusal(url: string, query: Readonly<Record<string, string>>): Promise<number> {
  const client = new RawWebSocket(url, query);
  const [, response] = (await within(
    soonMs,
    'the server refuses the upgrade',
    once(client.socket, 'unexpected-response'),
  )) as [unknown, { statusCode: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

describe('Engine.IO: the handshake', () => {
  const expected = (upgrades: readonly string[]): Opened => ({
    sid: sessionId,
    upgrades,
    pingInterval: 25_000,
    pingTimeout: 20_000,
    maxPayload: packetBytesMax,
  });

  it('the Engine.IO handshake over polling is one packet of type open, as text', async () => {
    const { url } = await startServer();
    const response = await fetch(engineUrl(url, { EIO: '4', transport: 'polling' }), {
      headers: lastOfConnection,
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; *charset=utf-8$/i);
    expect(parseOpen(await response.text())).toEqual(expected(['websocket']));
  });

  it('the Engine.IO handshake over a websocket is the first packet, and offers no upgrade', async () => {
    const { url } = await startServer();
    expect(parseOpen(await new RawWebSocket(url).next())).toEqual(expected([]));
  });

  it('the Engine.IO handshake gives each session its own id', async () => {
    const { url } = await startServer();
    const sessions = await Promise.all(Array.from({ length: 20 }, async () => RawPolling.open(url)));
    expect(new Set(sessions.map(({ opened }) => opened.sid)).size).toBe(20);
  });

  const wrong: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    ['no version', { transport: 'polling' }, 5],
    ['a version that is not a number', { EIO: 'abc', transport: 'polling' }, 5],
    ['an older version', { EIO: '3', transport: 'polling' }, 5],
    ['a later version', { EIO: '5', transport: 'polling' }, 5],
    ['no transport', { EIO: '4' }, 0],
    ['an unknown transport', { EIO: '4', transport: 'abc' }, 0],
    ['a transport named like a prototype', { EIO: '4', transport: '__proto__' }, 0],
    ['a transport named like an inherited property', { EIO: '4', transport: 'constructor' }, 0],
    ['a disabled transport', { EIO: '4', transport: 'webtransport' }, 0],
    ['an unknown session', { EIO: '4', transport: 'polling', sid: 'nobody' }, 1],
    ['a session named like a prototype', { EIO: '4', transport: 'polling', sid: '__proto__' }, 1],
    ['a session named like an inherited property', { EIO: '4', transport: 'polling', sid: 'constructor' }, 1],
  ];

  it.each(wrong)(
    'the Engine.IO handshake over polling is refused with 400: %s',
    async (_what, query, code) => {
      const { url } = await startServer();
      expect(await refusal(engineUrl(url, query))).toEqual({ status: 400, code });
    },
  );

  it.each(['nobody', '__proto__', 'constructor'])(
    'the Engine.IO handshake over a websocket is refused with 400 for an unknown session: %s',
    async (sid) => {
      const { url } = await startServer();
      expect(await upgradeRefusal(url, { sid })).toBe(400);
    },
  );

  it.each(['', '3', '5', 'abc'])(
    'the Engine.IO handshake over a websocket with another version closes it: %j',
    async (version) => {
      const { url } = await startServer(patient);
      const client = new RawWebSocket(url, { EIO: version });
      await client.ended();
      // Not a single packet was sent.
      await expect(client.next()).rejects.toThrow('the server closed the connection');
    },
  );

  it.each(['POST', 'PUT', 'DELETE'])(
    'the Engine.IO handshake with the method %s is refused with 400',
    async (method) => {
      const { url } = await startServer();
      const target = engineUrl(url, { EIO: '4', transport: 'polling' });
      expect(await refusal(target, { method })).toEqual({ status: 400, code: 2 });
    },
  );

  it('the Engine.IO handshake for a websocket without an upgrade is refused with 400', async () => {
    const { url } = await startServer();
    expect(await refusal(engineUrl(url, { EIO: '4', transport: 'websocket' }))).toEqual({
      status: 400,
      code: 3,
    });
  });
});

describe('Engine.IO: polling', () => {
  it('Engine.IO polling responds to a post with ok, and to a poll with all waiting packets, in order', async () => {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    expect(await client.post('40')).toEqual({ status: 200, text: 'ok' });
    const first = await client.poll();
    expect(first.text).toMatch(/^40\{"sid":"[\w-]{20}"\}$/);
    await client.send('420["unsubscribe",{"topic":"a"}]', '421["unsubscribe",{"topic":"b"}]');
    const answer = (id: number, topic: string): string => `43${id}[{"ok":true,"topic":"${topic}"}]`;
    expect([await client.next(), await client.next()]).toEqual([answer(0, 'a'), answer(1, 'b')]);
  });

  it('an Engine.IO poll waits until there is a packet', async () => {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    await client.send('420["subscribe",{"topic":"news"}]');
    expect(await client.next()).toContain('430[{"ok":true');
    const poll = client.poll();
    await publish(url, { topic: 'news', message: 'é' });
    expect(await poll).toEqual({ status: 200, text: '42["news",{"message":"é"}]' });
  });

  it('two Engine.IO polls at once end their session', async () => {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    const polls = await Promise.all([client.poll(), client.poll()]);
    // One poll is refused; the other ends, with a close packet or without one.
    expect(polls.map(({ status }) => status).filter((status) => status !== 200)).toEqual([400]);
    expect(await refusal(client.url)).toEqual({ status: 400, code: 1 });
  });

  it('two Engine.IO posts at once end their session', async () => {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    const { port } = new URL(url);
    // The first post has begun, and does not end.
    const socket = connect(Number(port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    await within(soonMs, 'the client connects', once(socket, 'connect'));
    const { pathname, search } = new URL(client.url);
    socket.write(`POST ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n40`);
    // Before the server has seen the first post, the second one would count as the first.
    const isRefused = async (): Promise<boolean> =>
      (await client.post('3').catch(() => ({ status: 0 }))).status !== 200;
    await until('the server has seen the first post', isRefused);
    expect((await client.poll()).status).toBe(400);
  });

  it.each(['GET', 'POST'])('Engine.IO polling refuses an unknown session with 400, by %s', async (method) => {
    const { url } = await startServer();
    const target = engineUrl(url, { EIO: '4', transport: 'polling', sid: 'nobody' });
    const body = method === 'POST' ? { body: '40' } : {};
    expect(await refusal(target, { method, ...body })).toEqual({ status: 400, code: 1 });
  });

  it.each(['PUT', 'DELETE'])(
    'Engine.IO polling refuses the method %s, and the session stays',
    async (method) => {
      const { url } = await startServer();
      const client = await RawPolling.open(url);
      const response = await fetch(client.url, { method, headers: lastOfConnection });
      await response.text();
      expect(response.status).toBeGreaterThanOrEqual(400);
      // The session still works.
      await connectRawClient(client);
    },
  );

  it.each(['abc', '', '99', `4${separator}`, `${separator}${separator}`])(
    'an invalid Engine.IO payload ends its session: %j',
    async (payload) => {
      const { url } = await startServer(patient);
      const client = await RawPolling.open(url);
      await client.post(payload);
      await expect(client.ended()).resolves.toBeUndefined();
    },
  );

  it('Engine.IO polling carries binary data as base64', async () => {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    await client.send('451-0["publish",{"_placeholder":true,"num":0}]', 'bAQIDBA==');
    expect(await client.next()).toMatch(/^430\[\{"ok":false,"error":\{.*"code":"bad_request"/);
  });
});

describe('Engine.IO: heartbeat', () => {
  it.each(rawTransports)(
    'the server pings over %s repeatedly, and the session continues while the client answers',
    async (_name, open) => {
      const { url } = await startImpatient({ pingInterval: 300, pingTimeout: 10_000 });
      const client = await open(url);
      await connectRawClient(client);
      for (let at = 0; at < 3; at++) {
        expect(await client.next()).toBe('2');
        await client.send('3');
      }
      await client.send('420["unsubscribe",{"topic":"a"}]');
      let packet = await client.next();
      await until('the answer comes after the pings', () => packet !== '2', {
        step: async () => {
          await client.send('3');
          packet = await client.next();
        },
      });
      expect(packet).toBe('430[{"ok":true,"topic":"a"}]');
    },
  );

  it.each(rawTransports)(
    'a session over %s ends when the client does not answer a ping',
    async (_name, open) => {
      const { url } = await startImpatient({ pingInterval: 50, pingTimeout: 50 });
      const client = await open(url);
      await expect(client.ended()).resolves.toBeUndefined();
    },
  );

  it.each(rawTransports)(
    'a session over %s ends when the client pings, because only the server does',
    async (_name, open) => {
      const { url } = await startServer(patient);
      const client = await open(url);
      await client.send('2');
      await expect(client.ended()).resolves.toBeUndefined();
    },
  );
});

describe('Engine.IO: closing', () => {
  it('a close packet of a polling client gets a response to its poll, and ends the session', async () => {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const poll = client.poll();
    // The poll is sent before the post.
    await client.send('420["unsubscribe",{"topic":"a"}]');
    await poll;
    const last = client.poll();
    await client.post('1');
    // Depending on the order, the poll ends or finds no session.
    expect(['6', '1', '', '{"code":1,"message":"Session ID unknown"}']).toContain((await last).text);
    expect(await refusal(client.url)).toEqual({ status: 400, code: 1 });
  });

  it('a websocket ends with its closing frame, and a close packet over it is ignored', async () => {
    const { url } = await startServer(patient);
    const client = await RawWebSocket.open(url);
    await client.send('1');
    await connectRawClient(client);
    client.socket.close(1000);
    const [code] = (await within(
      soonMs,
      'the server closes the websocket',
      once(client.socket, 'close'),
    )) as [number];
    expect(code).toBe(1000);
  });

  it.each(['abc', '', '9', '\u0000'])('an invalid packet closes a websocket: %j', async (packet) => {
    const { url } = await startServer(patient);
    const client = await RawWebSocket.open(url);
    await client.send(packet);
    await expect(client.ended()).resolves.toBeUndefined();
  });
});

describe('Engine.IO: the upgrade', () => {
  it('an upgrade releases the pending poll, and continues over the websocket', async () => {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    await client.send('420["subscribe",{"topic":"news"}]');
    await client.next();
    const poll = client.poll();
    const socket = new RawWebSocket(url, { sid: client.opened.sid });
    await socket.send('2probe');
    expect(await socket.next()).toBe('3probe');
    expect(await poll).toEqual({ status: 200, text: '6' });
    await socket.send('5');
    await socket.send('420["unsubscribe",{"topic":"-"}]');
    expect(await socket.next()).toBe('430[{"ok":true,"topic":"-"}]');
    await publish(url, { topic: 'news', message: 1 });
    expect(await socket.next()).toBe('42["news",{"message":1}]');
    expect(await refusal(client.url)).toEqual({ status: 400, code: 3 });
  });

  it('an upgrade loses no message that is published meanwhile', async () => {
    const { url } = await startServer();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    await client.send('420["subscribe",{"topic":"news"}]');
    await client.next();
    const socket = new RawWebSocket(url, { sid: client.opened.sid });
    await socket.send('2probe');
    expect(await socket.next()).toBe('3probe');
    await publish(url, { topic: 'news', message: 1 });
    await socket.send('5');
    await publish(url, { topic: 'news', message: 2 });
    expect([await socket.next(), await socket.next()]).toEqual(
      [1, 2].map((message) => `42["news",{"message":${message}}]`),
    );
  });

  it.each(['40', '2', '2other', '3probe', '1', 'abc'])(
    'an upgrade whose first packet is not a probe is refused, and the session continues: %s',
    async (packet) => {
      const { url } = await startServer(patient);
      const client = await RawPolling.open(url);
      const socket = new RawWebSocket(url, { sid: client.opened.sid });
      await socket.send(packet);
      await expect(socket.ended()).resolves.toBeUndefined();
      await connectRawClient(client);
    },
  );

  it('a second upgrade is refused, and the session continues', async () => {
    const { url } = await startServer(patient);
    const client = await RawPolling.open(url);
    const first = new RawWebSocket(url, { sid: client.opened.sid });
    await first.send('2probe');
    expect(await first.next()).toBe('3probe');
    const during = new RawWebSocket(url, { sid: client.opened.sid });
    await during.ended();
    await first.send('5');
    await connectRawClient(first);
    const after = new RawWebSocket(url, { sid: client.opened.sid });
    await after.ended();
    await first.send('420["unsubscribe",{"topic":"-"}]');
    expect(await first.next()).toBe('430[{"ok":true,"topic":"-"}]');
  });

  it('an upgrade of a session that began as a websocket is refused', async () => {
    const { url } = await startServer(patient);
    const client = new RawWebSocket(url);
    const { sid } = parseOpen(await client.next());
    expect(await refusal(engineUrl(url, { EIO: '4', transport: 'polling', sid }))).toEqual({
      status: 400,
      code: 3,
    });
    const other = new RawWebSocket(url, { sid });
    await other.send('40');
    await other.ended();
    await connectRawClient(client);
  });
});

describe('Socket.IO: connecting', () => {
  it.each(rawTransports)(
    'a connection over %s to the main namespace gets its own id',
    async (_name, open) => {
      const { url } = await startServer();
      const [one, other] = [await open(url), await open(url)];
      const [first, second] = [await connectRawClient(one), await connectRawClient(other, '{"token":"123"}')];
      expect([first, second]).toEqual([sessionId, sessionId]);
      expect(first).not.toBe(second);
    },
  );

  it.each(rawTransports)(
    'a connection over %s to any other namespace is refused, and the transport stays open',
    async (_name, open) => {
      const { url } = await startServer();
      const client = await open(url);
      for (const namespace of ['/other', '/__proto__', '/constructor', '/a/b']) {
        await client.send(`40${namespace},`);
        expect(await client.next()).toBe(`44${namespace},{"message":"Invalid namespace"}`);
      }
      await connectRawClient(client);
    },
  );

  it.each(rawTransports)(
    'a login over %s without a valid token is refused, with the reason',
    async (_name, open) => {
      const { url } = await startServer({ key: secret });
      const client = await open(url);
      for (const auth of ['', '{}', '{"token":"x"}', '{"token":7}', '{"__proto__":{"token":"x"}}']) {
        await client.send(`40${auth}`);
        const answer = await client.next();
        expect(answer).toMatch(/^44\{/);
        expect(JSON.parse(answer.slice(2))).toMatchObject({
          message: expect.any(String) as string,
          data: { code: 'not_authenticated', status: 401 },
        });
      }
      const token = await tokenFor();
      expect(await connectRawClient(client, JSON.stringify({ token }))).toEqual(sessionId);
    },
  );

  it.each(rawTransports)('a packet over %s before the login ends the connection', async (_name, open) => {
    const { url } = await startServer(patient);
    for (const packet of ['42["subscribe",{"topic":"news"}]', '41', '430[]', '44{"message":"x"}']) {
      const client = await open(url);
      await client.send(packet);
      await expect(client.ended()).resolves.toBeUndefined();
    }
  });

  it.each(rawTransports)(
    'a connection over %s that does not log in within the time is closed',
    async (_name, open) => {
      const { url } = await startServer({ loginTimeoutMs: 200 });
      const client = await open(url);
      await expect(client.ended()).resolves.toBeUndefined();
    },
  );

  it.each(rawTransports)('a second login over %s ends the connection', async (_name, open) => {
    const { url } = await startServer(patient);
    const client = await open(url);
    await connectRawClient(client);
    await client.send('40');
    await expect(client.ended()).resolves.toBeUndefined();
  });

  it.each(rawTransports)('an invalid login payload over %s ends the connection', async (_name, open) => {
    const { url } = await startServer(patient);
    for (const payload of ['[]', '"a"', '7[]', '{', 'null7']) {
      const client = await open(url);
      await client.send(`40${payload}`);
      await expect(client.ended()).resolves.toBeUndefined();
    }
  });
});

describe.each(rawTransports)('Socket.IO: events over %s', (_name, open) => {
  it('events are exchanged in both directions, and acknowledged by their id', async () => {
    const { url } = await startServer();
    const client = await open(url);
    await connectRawClient(client);
    await client.send('4212["subscribe",{"topic":"news"}]');
    expect(await client.next()).toMatch(/^4312\[\{"ok":true,"topic":"news",/);
    await client.send('42456["publish",{"topic":"news","message":[1,"é"]}]');
    const packets = [await client.next(), await client.next()];
    expect(packets).toContain('42["news",{"message":[1,"é"]}]');
    expect(packets.find((packet) => packet.startsWith('43'))).toMatch(/^43456\[\{"ok":true,/);
  });

  it('an event without an acknowledgement gets no response, except a refusal as an event', async () => {
    const { url } = await startServer();
    const client = await open(url);
    await connectRawClient(client);
    await client.send(
      '42["subscribe",{"topic":"news"}]',
      '42["nonsense",1]',
      '427["unsubscribe",{"topic":"news"}]',
    );
    const packets = [await client.next(), await client.next()];
    expect(packets[0]).toMatch(/^42\["error",\{.*"code":"bad_request"/);
    expect(packets[1]).toBe('437[{"ok":true,"topic":"news"}]');
  });

  it.each(['42[]', '42{}', '42"a"', '42[7', '42[{}]', '42[null]', '42["disconnect"]', '42["connect"]'])(
    'an event whose payload is not an array with a name ends the connection: %s',
    async (packet) => {
      const { url } = await startServer(patient);
      const client = await open(url);
      await connectRawClient(client);
      await client.send(packet);
      await expect(client.ended()).resolves.toBeUndefined();
    },
  );

  it('an event with an empty or missing name is refused like an unknown one', async () => {
    const { url } = await startServer(patient);
    const client = await open(url);
    await connectRawClient(client);
    await client.send('42', '427');
    expect(await client.next()).toMatch(/^42\["error",\{.*"code":"bad_request"/);
    // The second refusal is in its acknowledgement, and neither shows internals of the server.
    expect(await client.next()).toMatch(/^437\[\{"ok":false,"error":\{.*"code":"bad_request"/);
  });

  it.each(['47', '4', '4z', '4-1', '43999999[]', '430{}', '44{"message":"x"}', '42/other,["a"]', '40'])(
    'packets out of place do no harm: %s',
    async (packet) => {
      const { url } = await startServer();
      const [client, other] = [await open(url), await open(url)];
      await Promise.all([connectRawClient(client), connectRawClient(other)]);
      await other.send('420["subscribe",{"topic":"news"}]');
      await other.next();
      await client.send(packet);
      await publish(url, { topic: 'news', message: 1 });
      expect(await other.next()).toBe('42["news",{"message":1}]');
    },
  );
});

describe('Socket.IO: binary data', () => {
  it('binary data arrives as attachments, in order, and is refused because it is not JSON', async () => {
    const { url } = await startServer();
    const client = await RawWebSocket.open(url);
    await connectRawClient(client);
    const command = {
      topic: 'news',
      message: [
        { _placeholder: true, num: 1 },
        { _placeholder: true, num: 0 },
      ],
    };
    await client.send(`452-0["publish",${JSON.stringify(command)}]`, Buffer.from([1]), Buffer.from([2]));
    expect(await client.next()).toMatch(/^430\[\{"ok":false,"error":\{.*"code":"bad_request"/);
  });

  it.each([
    ['an attachment without its packet', [Buffer.from([1])]],
    ['a negative attachment number', ['451-0["publish",{"_placeholder":true,"num":-1}]', Buffer.from([1])]],
    ['an unknown attachment number', ['451-0["publish",{"_placeholder":true,"num":5}]', Buffer.from([1])]],
    [
      'an invalid attachment number',
      ['451-0["publish",{"_placeholder":true,"num":"__proto__"}]', Buffer.from([1])],
    ],
    ['too many attachments', ['4599-0["publish",{}]']],
    ['a missing attachment number', ['45-0["publish",{}]']],
  ] as const)('wrong binary data ends the connection: %s', async (_what, packets) => {
    const { url } = await startServer(patient);
    const client = await RawWebSocket.open(url);
    await connectRawClient(client);
    await client.send(...packets);
    await expect(client.ended()).resolves.toBeUndefined();
  });

  it('a client that sends an event instead of the attachments that it announced gets an error, and is disconnected', async () => {
    const { url } = await startServer(patient);
    const client = await RawWebSocket.open(url);
    await connectRawClient(client);
    await client.send('451-0["publish",{"_placeholder":true,"num":0}]', '420["subscribe",{}]');
    expect(await client.next()).toMatch(/^42\["error",\{.*attachments.*"code":"bad_request"/);
    await expect(client.ended()).resolves.toBeUndefined();
  });

  it('a message that looks like a placeholder of binary data is an ordinary message', async () => {
    const { url } = await startServer();
    const client = await RawWebSocket.open(url);
    await connectRawClient(client);
    await client.send('420["subscribe",{"topic":"news"}]');
    await client.next();
    const message = { _placeholder: true, num: 0 };
    expect((await publish(url, { topic: 'news', message })).status).toBe(200);
    expect(await client.next()).toBe(`42["news",{"message":${JSON.stringify(message)}}]`);
  });
});

describe.each(rawTransports)('Socket.IO: disconnecting over %s', (_name, open) => {
  it('a disconnect packet ends the subscriptions, gets no response, and the client can connect again', async () => {
    const { url } = await startServer();
    const client = await open(url);
    const first = await connectRawClient(client);
    await client.send('420["subscribe",{"topic":"news"}]');
    await client.next();
    await client.send('41');
    // A packet that is sent at once would still reach the namespace.
    await fetch(url, { headers: lastOfConnection }).then(async (response) => response.text());
    const second = await connectRawClient(client);
    expect(second).not.toBe(first);
    await publish(url, { topic: 'news', message: 1 });
    await client.send('421["unsubscribe",{"topic":"-"}]');
    expect(await client.next()).toBe('431[{"ok":true,"topic":"-"}]');
  });

  it('the server reports an expired token in an event, not in a packet after which clients never reconnect', async () => {
    const { url } = await startServer({ key: secret });
    const client = await open(url);
    await connectRawClient(client, JSON.stringify({ token: await tokenFor({ exp: 2 }) }));
    expect(await client.next()).toMatch(/^42\["error",\{.*"code":"token_expired"/);
    const rest: string[] = [];
    for (let packet: string | undefined = ''; packet !== undefined;) {
      rest.push(packet);
      packet = await client.next().catch(() => undefined);
    }
    expect(rest).not.toContain('41');
  });
});
