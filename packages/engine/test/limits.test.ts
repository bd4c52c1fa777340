import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, type RawData } from 'ws';
import { soonMs, until, within } from '../../../test/waits.ts';
import { eventPacket, MalformedMessageError, type OutgoingPacket } from '../src/index.ts';
import { echoApp, startEngine, type Started } from './harness.ts';

const separator = '\u001E';

class RawSocket {
  readonly socket: WebSocket;
  readonly packets: string[] = [];

  private constructor(url: string) {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    this.socket.on('error', () => {});
    this.socket.on('message', (data: RawData) => this.packets.push((data as Buffer).toString()));
    onTestFinished(() => this.socket.terminate());
  }

  static async open(url: string): Promise<RawSocket> {
    const client = new RawSocket(url);
    await client.comes(/^0/);
    return client;
  }

  static async connect(url: string): Promise<RawSocket> {
    const client = await RawSocket.open(url);
    client.socket.send('40');
    await client.comes(/^40\{/);
    return client;
  }

  async comes(pattern: RegExp): Promise<void> {
    await until(`a packet ${String(pattern)} comes`, () => this.packets.some((text) => pattern.test(text)), {
      soFar: () => this.packets,
    });
  }

  async closed(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    await within(soonMs, 'the server closes the websocket', once(this.socket, 'close'));
  }

  /** A round trip through the engine. */
  async echo(id: number): Promise<void> {
    this.socket.send(`42${id}["echo"]`);
    await this.comes(new RegExp(`^43${id}\\[`));
  }
}

async function openPolling(url: string): Promise<string> {
  const target = `${url}/socket.io/?EIO=4&transport=polling`;
  const text = await (await fetch(target)).text();
  return `${target}&sid=${(JSON.parse(text.slice(1)) as { readonly sid: string }).sid}`;
}

async function post(target: string, body: string): Promise<number> {
  const response = await fetch(target, { method: 'POST', body });
  await response.text();
  return response.status;
}

async function isGone({ engine }: Started): Promise<void> {
  await until('the session is gone', () => engine.sessions === 0);
}

describe('before the login', () => {
  it('a WebSocket that sends too many bytes is cut off, even in a message that never ends', async () => {
    const started = await startEngine(echoApp(), { loginBytesMax: 1_000 });
    const client = await RawSocket.open(started.url);
    client.socket.send('x'.repeat(500), { fin: false });
    client.socket.send('x'.repeat(500), { fin: false });
    await client.closed();
    await isGone(started);
    expect(started.app.happened).toEqual([]);
  });

  it('a client that sends too many packets is cut off, over both transports', async () => {
    const started = await startEngine(echoApp(), { loginPacketsMax: 3 });
    const client = await RawSocket.open(started.url);
    for (let at = 0; at < 4; at++) client.socket.send('40/x,');
    await client.closed();
    const target = await openPolling(started.url);
    await post(target, Array(4).fill('40/x,').join(separator));
    await isGone(started);
    expect((await fetch(target)).status).toBe(400);
  });

  it('a body over the limit is not read, and after the login it is', async () => {
    const { url } = await startEngine(echoApp(), { loginBytesMax: 1_000 });
    const target = await openPolling(url);
    const large = `42["echo","${'x'.repeat(2_000)}"]`;
    expect(await post(target, large)).toBe(413);
    expect(await post(target, '40')).toBe(200);
    expect(await post(target, large)).toBe(200);
  });

  it('a body over the limit of all bodies is not read either', async () => {
    const { url } = await startEngine(echoApp(), { packetBytesMax: 1_000, loginBytesMax: 10_000 });
    expect(await post(await openPolling(url), `42["echo","${'x'.repeat(2_000)}"]`)).toBe(413);
  });

  it('a client that takes too long is disconnected, over both transports, and a client that leaves its namespace', async () => {
    const started = await startEngine(echoApp(), { loginTimeoutMs: 100 });
    const [silent, left] = [await RawSocket.open(started.url), await RawSocket.connect(started.url)];
    const target = await openPolling(started.url);
    left.socket.send('41');
    await Promise.all([silent.closed(), left.closed()]);
    const poll = await fetch(target);
    expect(await poll.text()).toBe('1');
    await isGone(started);
  });

  it('the client that has waited longest is cut off when too many wait', async () => {
    const { url, engine } = await startEngine(echoApp(), { loginsPendingMax: 2 });
    const clients = [await RawSocket.open(url), await RawSocket.open(url), await RawSocket.open(url)];
    await clients[0]?.closed();
    expect(clients.slice(1).map(({ socket }) => socket.readyState)).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
    expect(engine.pendingLogins).toBe(2);
  });
});

describe('heartbeats', () => {
  it('a session ends when its client does not answer a ping, over both transports', async () => {
    const started = await startEngine(echoApp(), { pingIntervalMs: 30, pingTimeoutMs: 30 });
    const client = await RawSocket.connect(started.url);
    const target = await openPolling(started.url);
    await client.closed();
    await isGone(started);
    expect((await fetch(target)).status).toBe(400);
    expect(started.app.happened).toContain('disconnected: ping timeout');
  });
});

describe('a client that sends and does not read', () => {
  it('is not read from either, over a WebSocket, and delays no other client', async () => {
    const { url, app } = await startEngine(echoApp(), { unreadPacketsMax: 100 });
    const [good, deaf] = [await RawSocket.connect(url), await RawSocket.connect(url)];
    deaf.socket.pause();
    // Each acknowledgement has a kilobyte, so that the kernel's buffers are full soon.
    const packet = `420["echo","${'x'.repeat(1_000)}"]`;
    let id = 0;
    await until('the engine stops reading', () => deaf.socket.bufferedAmount > 16 * 1_048_576, {
      step: async () => {
        for (let at = 0; at < 1_000; at++) deaf.socket.send(packet);
        await good.echo(++id);
      },
    });
    const taken = app.happened.length;
    for (let at = 0; at < 20; at++) await good.echo(++id);
    expect(app.happened.length).toBe(taken + 20);
    deaf.socket.resume();
    await until('everything is taken when the client reads', () => deaf.socket.bufferedAmount === 0);
  });

  it('gets no answer to its request over polling until it polls', async () => {
    const { url, app } = await startEngine(echoApp(), { unreadPacketsMax: 10 });
    const target = await openPolling(url);
    await post(target, '40');
    let isAnswered = false;
    const sent = post(target, Array(300).fill('420["echo"]').join(separator)).then(() => (isAnswered = true));
    await until('the engine takes as much as it may', () => app.happened.length >= 100);
    expect(isAnswered).toBe(false);
    const acknowledged: string[] = [];
    await until('the polls bring all acknowledgements', () => acknowledged.length === 300, {
      soFar: () => acknowledged.length,
      ms: 3_000,
      step: async () => {
        const packets = (await (await fetch(target)).text()).split(separator);
        expect(packets.length).toBeLessThanOrEqual(16);
        acknowledged.push(...packets.filter((text) => text.startsWith('430')));
      },
    });
    await sent;
  });

  it('gets one answer at a time to its WebSocket pings', async () => {
    const { url } = await startEngine();
    const client = await RawSocket.connect(url);
    const pongs: string[] = [];
    client.socket.on('pong', (data) => pongs.push(data.toString()));
    for (let at = 0; at < 1_000; at++) client.socket.ping(String(at));
    await until('the last ping is answered', () => pongs.at(-1) === '999');
    expect(pongs.length).toBeLessThan(1_000);
  });
});

it('a request with 100,000 packets does not delay another client', async () => {
  const { url, app } = await startEngine();
  const good = await RawSocket.connect(url);
  const target = await openPolling(url);
  await post(target, '40');
  await (await fetch(target)).text();
  const sent = post(target, Array(100_000).fill('3').concat('42["last"]').join(separator));
  let echoes = 0;
  await until('the last packet is taken', () => app.happened.includes('event last'), {
    step: () => good.echo(++echoes),
  });
  expect(echoes).toBeGreaterThan(10);
  expect(await sent).toBe(200);
});

describe('slow clients', () => {
  it('a client that reads slowly refuses offers, and the app hears when it has read everything', async () => {
    const drained: string[] = [];
    const app = echoApp({ drained: ({ id }) => drained.push(id) });
    const { url, engine } = await startEngine(app, { outboxBytesMax: 100_000 });
    const client = await RawSocket.connect(url);
    client.socket.pause();
    // A packet that is sent several times would count once.
    const packet = (): OutgoingPacket => eventPacket('news', JSON.stringify('x'.repeat(10_000)));
    let [sent, overflows, waitingBytes] = [0, 0, 0];
    await until('the client has no space', () => overflows > 0, {
      step: async () => {
        sent += engine.broadcast(app.clients, packet(), () => {
          overflows++;
          ({ waitingBytes } = engine);
        });
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    expect(waitingBytes).toBeGreaterThan(80_000);
    client.socket.resume();
    await until('the app hears it', () => drained.length > 0);
    const news = (): number => client.packets.filter((text) => text.startsWith('42["news"')).length;
    await until('the client gets everything that it was sent', () => news() === sent);
    expect([drained, engine.waitingBytes]).toEqual([[...app.clients].map(({ id }) => id), 0]);
  });

  it('a client that polls refuses offers until it polls', async () => {
    const drained: string[] = [];
    const app = echoApp({ drained: ({ id }) => drained.push(id) });
    const { url, engine } = await startEngine(app, { outboxBytesMax: 1_000 });
    const target = await openPolling(url);
    await post(target, '40');
    await (await fetch(target)).text();
    const packet = eventPacket('news', JSON.stringify('x'.repeat(400)));
    let overflows = 0;
    const offer = (): void => void engine.broadcast(app.clients, packet, () => overflows++);
    const counts = [...Array(5).keys()].map(() => {
      offer();
      return overflows;
    });
    expect(counts).toEqual([0, 0, 1, 2, 3]);
    expect((await (await fetch(target)).text()).split(separator).length).toBe(2);
    await until('the app hears it', () => drained.length === 1);
  });

  it('a client that reads nothing for the stall timeout is disconnected', async () => {
    const started = await startEngine(echoApp(), { stallTimeoutMs: 200, outboxBytesMax: 100_000 });
    const { url, engine, app } = started;
    const client = await RawSocket.connect(url);
    client.socket.pause();
    const packet = eventPacket('news', JSON.stringify('x'.repeat(10_000)));
    await until('the client is disconnected', () => app.happened.includes('disconnected: slow client'), {
      step: async () => {
        engine.broadcast(app.clients, packet, () => {});
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    await isGone(started);
    expect(engine.waitingBytes).toBe(0);
  });

  it('what the client sent before it left is taken', async () => {
    const { url, app } = await startEngine(echoApp(), { packetsPerTurnMax: 4 });
    const client = await RawSocket.connect(url);
    for (let at = 0; at < 100; at++) client.socket.send('42["x"]');
    client.socket.close();
    await until('the app hears it', () => app.happened.includes('disconnected: transport close'));
    expect(app.happened.filter((what) => what === 'event x').length).toBe(100);
  });
});

it('a client that does not answer the closing frame is cut off, even if it is not read', async () => {
  const started = await startEngine(echoApp(), { closeTimeoutMs: 50, unreadPacketsMax: 10 });
  const client = await RawSocket.connect(started.url);
  client.socket.pause();
  void started.engine.drain({ idleMs: 1_000, timeoutMs: 5_000 });
  await isGone(started);
  expect(started.app.happened).toEqual(['connected', 'disconnected: server close']);
});

it.each([
  ['an unreadable message', '42[', 'The payload of a message must be JSON.'],
  ['binary data, as other parsers send it', Buffer.from([1]), /^Binary data .* Use the parser of Socket\.IO/],
])('a client sees why it is closed, before and after its login: %s', async (_what, sent, reason) => {
  const told: unknown[] = [];
  const app = echoApp({
    malformed: (client, error) => told.push(client?.id === undefined ? 'nobody' : 'a client', error.message),
  });
  const { url } = await startEngine(app);
  const clients = [
    await RawSocket.connect(url),
    ...(typeof sent === 'string' ? [] : [await RawSocket.open(url)]),
  ];
  for (const { socket } of clients) {
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    socket.send(sent);
    const [code, text] = await within(soonMs, 'the server closes the websocket', closed);
    expect([code, text.toString()]).toEqual([1002, expect.stringMatching(reason) as string]);
  }
  expect(told.filter((_, at) => at % 2 === 0)).toEqual(['a client', 'nobody'].slice(0, clients.length));
});

it('the app can refuse JSON before it is parsed: a login, another namespace, and an event with attachments', async () => {
  const checkJson = (json: string): void => {
    if (json.length > 100) throw new MalformedMessageError('Too large.');
  };
  const { url } = await startEngine(echoApp({ checkJson }));
  const list = `[${Array(100).fill('[]').join()}]`;
  for (const packet of [`40{"a":${list}}`, `40/x,{"a":${list}}`, `451-["a",${list}]`]) {
    const { socket } = packet.startsWith('45') ? await RawSocket.connect(url) : await RawSocket.open(url);
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    socket.send(packet);
    const [, reason] = await within(soonMs, 'the server closes the websocket', closed);
    expect([packet.slice(0, 5), reason.toString()]).toEqual([packet.slice(0, 5), 'Too large.']);
  }
  const client = await RawSocket.connect(url);
  client.socket.send(`421["echo",${list}]`);
  await client.comes(/^431\[/);
});

it('deliveries to a client that polls count when a poll or an upgrade has taken them', async () => {
  const polled: number[] = [];
  const app = echoApp({ polled: (deliveries) => polled.push(deliveries) });
  const { url, engine } = await startEngine(app);
  const target = await openPolling(url);
  await post(target, '40');
  await (await fetch(target)).text();
  const [delivery, notice] = [eventPacket('news', '1', true), eventPacket('state', '1')];
  const offer = (): number[] =>
    [delivery, notice, delivery].map((one) => engine.broadcast(app.clients, one, () => {}));
  expect([offer(), polled]).toEqual([[0, 0, 0], []]);
  await (await fetch(target)).text();
  expect(polled).toEqual([2]);
  offer();
  const socket = new WebSocket(target.replace('http', 'ws').replace('polling', 'websocket'));
  onTestFinished(() => socket.terminate());
  await within(soonMs, 'the websocket opens', once(socket, 'open'));
  socket.send('5');
  await until('the upgrade has taken them', () => polled.length === 2);
  expect([polled, offer()]).toEqual([
    [2, 2],
    [1, 1, 1],
  ]);
});

it('messages that arrive in part share a budget, and the client that exceeds it is cut off', async () => {
  const { url, app } = await startEngine(echoApp(), {
    arrivals: { bytes: 300_000 },
    packetBytesMax: 1_000_000,
  });
  const [first, second] = [await RawSocket.connect(url), await RawSocket.connect(url)];
  first.socket.send('x'.repeat(250_000), { fin: false });
  await second.echo(1);
  second.socket.send('x'.repeat(250_000), { fin: false });
  await second.closed();
  // The message of the first client is complete, and is not a packet.
  first.socket.send('', { fin: true });
  await first.closed();
  expect(app.happened.filter((what) => what.startsWith('disconnected'))).toEqual([
    'disconnected: transport close',
    'disconnected: parse error',
  ]);
});
