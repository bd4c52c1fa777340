import { io, type Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../test/waits.ts';
import { echoApp, startEngine } from './harness.ts';

const transports = {
  polling: ['polling'],
  websocket: ['websocket'],
  upgrade: ['polling', 'websocket'],
} as const;

function connect(url: string, kind: keyof typeof transports, options: object = {}): Socket {
  const socket = io(url, { transports: [...transports[kind]], forceNew: true, ...options });
  onTestFinished(() => void socket.close());
  return socket;
}

function ack(socket: Socket, ...event: readonly [string, ...unknown[]]): Promise<unknown> {
  return within(soonMs, `${event[0]} is acknowledged`, socket.emitWithAck(...event) as Promise<unknown>);
}

describe.each(['polling', 'websocket', 'upgrade'] as const)("socket.io-client over '%s'", (kind) => {
  it('a client connects, sends events and gets acknowledgements and events in order', async () => {
    const { url, app } = await startEngine();
    const socket = connect(url, kind, { auth: { token: 'é' } });
    await nextEvent(socket, 'connect', 'the client connects');
    expect([...app.clients].map(({ id, identity }) => [id, identity])).toEqual([
      [socket.id, { auth: { token: 'é' } }],
    ]);
    const values = [1.5, 'é🚀', null, { a: [true] }, ''];
    expect(await Promise.all(values.map((value) => ack(socket, 'echo', value)))).toEqual(values);
    const received: unknown[] = [];
    socket.on('emitted', (value) => received.push(value));
    for (let at = 0; at < 500; at++) socket.emit('emit', at);
    await until('all events come', () => received.length === 500, { soFar: () => received });
    expect(received).toEqual([...Array(500).keys()]);
  });

  it('a client that upgrades loses nothing meanwhile', async () => {
    const { url } = await startEngine();
    const socket = connect(url, kind);
    const received: unknown[] = [];
    socket.on('emitted', (value) => received.push(value));
    let sent = 0;
    await nextEvent(socket, 'connect', 'the client connects');
    const expected = kind === 'polling' ? 'polling' : 'websocket';
    await until('the client uses its last transport', () => {
      socket.emit('emit', sent++);
      return socket.io.engine.transport.name === expected && sent > 200;
    });
    await until('all events come', () => received.length === sent, { soFar: () => received.length });
    expect(received).toEqual([...Array(sent).keys()]);
  });

  it('a login is refused with the data of the app, and the client can try again', async () => {
    const { url } = await startEngine();
    const auth: Record<string, unknown> = { refuse: { code: 7 } };
    const socket = connect(url, kind, { auth });
    const error = await nextEvent<Error & { data: unknown }>(socket, 'connect_error', 'it is refused');
    expect([error.message, error.data]).toEqual(['refused', { code: 7 }]);
    delete auth['refuse'];
    socket.connect();
    await nextEvent(socket, 'connect', 'the client connects');
  });

  it('other namespaces are refused', async () => {
    const { url } = await startEngine();
    const socket = connect(`${url}/other`, kind);
    const error = await nextEvent<Error>(socket, 'connect_error', 'the namespace is refused');
    expect(error.message).toBe('Invalid namespace');
  });

  it('the app hears at once that a client leaves, and a client that the server disconnects hears it', async () => {
    const { url, app } = await startEngine();
    const [first, second] = [connect(url, kind), connect(url, kind)];
    await Promise.all([first, second].map((socket) => nextEvent(socket, 'connect', 'it connects')));
    first.disconnect();
    await until('the app hears it', () => app.clients.size === 1);
    const gone = nextEvent(second, 'disconnect', 'the server disconnects the client');
    second.emit('leave');
    expect(await gone).toBe('io server disconnect');
    expect(app.happened.filter((what) => what.startsWith('disconnected')).toSorted()).toEqual([
      expect.stringMatching(/^disconnected: (client disconnect|transport close)$/) as string,
      'disconnected: server disconnect',
    ]);
  });

  it('a client reconnects after the engine has closed all sessions', async () => {
    const { url, engine } = await startEngine();
    const socket = connect(url, kind, { reconnectionDelay: 1 });
    await nextEvent(socket, 'connect', 'the client connects');
    const again = nextEvent(socket, 'connect', 'the client reconnects');
    void engine.drain({ idleMs: 1_000, timeoutMs: 5_000 });
    await again;
    expect(await ack(socket, 'echo', 1)).toBe(1);
  });

  it('a client stays connected as long as it answers pings', async () => {
    const { url } = await startEngine(echoApp(), { pingIntervalMs: 20, pingTimeoutMs: 5_000 });
    const socket = connect(url, kind);
    let pings = 0;
    await nextEvent(socket, 'connect', 'the client connects');
    socket.io.on('ping', () => pings++);
    await until('five pings come', () => pings >= 5);
    expect(socket.connected).toBe(true);
  });
});

describe('binary messages', () => {
  it.each(['polling', 'websocket'] as const)('the app can refuse binary arguments over %s', async (kind) => {
    const app = echoApp({
      event: (client, { hasAttachments, id = 0 }) =>
        client.acknowledge(id, JSON.stringify({ hasAttachments })),
    });
    const { url } = await startEngine(app);
    const socket = connect(url, kind);
    expect(await ack(socket, 'x', Buffer.from([1]), Buffer.from([2]))).toEqual({ hasAttachments: true });
    expect(await ack(socket, 'x', 1)).toEqual({ hasAttachments: false });
  });
});
