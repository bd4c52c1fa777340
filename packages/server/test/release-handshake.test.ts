import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { nextEvent, soonMs, startListening, until, within } from '../../../test/waits.ts';
import { releaseHandshakes } from '../src/socketio/release-handshake.ts';
import { tryInsides } from '../src/try-insides.ts';
import { onlyOver } from './ends/only-over.ts';
import { connectClient, strictLogger, transports } from './harness.ts';

onlyOver('socket.io');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Engine {
  readonly clients: Record<string, unknown>;
  readonly clientsCount: number;
  on(event: 'connection', listener: (connection: NodeJS.EventEmitter) => void): void;
}

interface Rig {
  readonly url: string;
  readonly io: Server;
  readonly engine: Engine;
  /** Weak references to all HTTP requests so far. */
  readonly requests: WeakRef<IncomingMessage>[];
  /** Resolves to the next socket that connects. */
  readonly connected: () => Promise<Socket>;
}

async function start(options: Partial<ServerOptions> = {}): Promise<Rig> {
  const http = createServer();
  const requests: WeakRef<IncomingMessage>[] = [];
  const keep = (request: IncomingMessage): void => void requests.push(new WeakRef(request));
  const io = new Server(http, options);
  http.on('request', keep).on('upgrade', keep);
  releaseHandshakes(io, (await tryInsides(strictLogger, io)).engine);
  await startListening(http);
  onTestFinished(async () => io.close());
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    io,
    engine: io.engine as unknown as Engine,
    requests,
    connected: async () => nextEvent(io, 'connection', 'the server sees the client'),
  };
}

/** Resolves once all requests were collected as garbage. */
async function allCollected(requests: readonly WeakRef<IncomingMessage>[]): Promise<void> {
  const isNoneHeld = (): boolean => requests.every((request) => request.deref() === undefined);
  await until('the requests of the handshakes are collected', isNoneHeld, {
    step: async () => {
      await turn();
      collectGarbage();
    },
  });
}

async function clientsGone(engine: Engine): Promise<void> {
  const isNoneThere = (): boolean => engine.clientsCount === 0 && Object.keys(engine.clients).length === 0;
  await until('the engine has counted its clients out', isNoneThere, {
    step: async () => {
      expect(Object.keys(engine.clients)).toHaveLength(engine.clientsCount);
      await turn();
    },
    soFar: () => engine.clientsCount,
  });
}

describe('the handshake request of a client', () => {
  it.each(['websocket', 'upgrade'] as const)(
    'the handshake request of a client is released (%s)',
    async (transport) => {
      const { url, io, engine, requests } = await start();
      const client = await connectClient(url, transport);
      await allCollected(requests);
      expect(requests.length).toBeGreaterThan(0);
      expect(engine.clientsCount).toBe(1);
      const echoed = nextEvent(client, 'echo', 'the client gets its echo');
      io.emit('echo', 'still there');
      await expect(echoed).resolves.toBe('still there');
    },
  );

  it('the handshake request is available to middleware and to `connection` listeners, and empty afterwards', async () => {
    const { url, io } = await start();
    const seen: unknown[] = [];
    io.use(({ handshake, request }, next) => {
      seen.push(handshake.auth, handshake.headers['x-who'], request.headers['x-who']);
      next();
    });
    const connection = new Promise<Socket>((resolve) => {
      io.on('connection', (socket) => {
        seen.push(socket.handshake.auth, socket.handshake.headers['x-who'], socket.request.headers['x-who']);
        resolve(socket);
      });
    });
    const connected = within(soonMs, 'the server sees the client', connection, () => seen);
    const options = { auth: { token: 't' }, extraHeaders: { 'x-who': 'me' } };
    await connectClient(url, 'websocket', options);
    const socket = await connected;
    expect(seen).toEqual([{ token: 't' }, 'me', 'me', { token: 't' }, 'me', 'me']);
    await turn();
    expect(socket.handshake).toMatchObject({ auth: {}, headers: {} });
    expect(socket.request.headers).toEqual({});
  });

  it('the handshake request is kept for a client that polls', async () => {
    const { url, connected } = await start();
    const socket = connected();
    await connectClient(url, 'polling');
    await turn();
    expect((await socket).request.headers).toHaveProperty('host');
    expect((await socket).handshake.headers).toHaveProperty('host');
  });

  it('the handshake request is kept for a connection with unknown listeners', async () => {
    const { url, io, connected } = await start();
    (io.engine as unknown as NodeJS.EventEmitter).prependListener(
      'connection',
      (connection: NodeJS.EventEmitter) => void connection.on('close', () => {}),
    );
    const socket = connected();
    await connectClient(url);
    await turn();
    expect((await socket).request.headers).toHaveProperty('host');
  });
});

describe.each(transports)('a client whose handshake request was released (%s)', (transport) => {
  it('a client whose handshake request was released is not counted after it disconnects', async () => {
    const { url, engine } = await start();
    const clients = [await connectClient(url, transport), await connectClient(url, transport)];
    expect(engine.clientsCount).toBe(2);
    for (const client of clients) client.close();
    await clientsGone(engine);
  });

  it('a client whose handshake request was released is not counted after the server disconnects it', async () => {
    const { url, io, engine } = await start();
    const client = await connectClient(url, transport);
    const gone = nextEvent(client, 'disconnect', 'the server disconnects the client');
    io.disconnectSockets(true);
    await gone;
    await clientsGone(engine);
  });

  it('a client whose handshake request was released is not counted after the server closes', async () => {
    const { url, io, engine } = await start();
    await connectClient(url, transport);
    await io.close();
    await clientsGone(engine);
  });
});

interface Joined {
  readonly webSocket: WebSocket;
  readonly tcp: TcpSocket;
  readonly socket: Socket;
}

describe('a websocket whose handshake request was released', () => {
  /** A websocket that has connected to the main namespace, and answers nothing afterwards. */
  async function joined({ url, connected }: Rig): Promise<Joined> {
    const webSocket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    onTestFinished(() => webSocket.terminate());
    webSocket.on('error', () => {});
    const opened = within(soonMs, 'the websocket opens', once(webSocket, 'open'));
    const [{ socket: tcp }] = (await within(
      soonMs,
      'the server upgrades the connection',
      once(webSocket, 'upgrade'),
    )) as [IncomingMessage];
    await opened;
    webSocket.send('40');
    const socket = await connected();
    await turn();
    return { webSocket, tcp, socket };
  }

  const disconnected = async (socket: Socket): Promise<unknown> =>
    nextEvent(socket, 'disconnect', "the server's socket ends");

  it('a websocket whose request was released is closed when it does not answer a ping, and not counted afterwards', async () => {
    const rig = await start({ pingInterval: 50, pingTimeout: 50 });
    const { socket } = await joined(rig);
    await expect(disconnected(socket)).resolves.toBe('ping timeout');
    await clientsGone(rig.engine);
  });

  it('a websocket whose request was released is closed after an invalid frame, and a second error does no harm', async () => {
    const rig = await start();
    const { tcp, socket } = await joined(rig);
    const inside = (socket.conn.transport as unknown as { socket: NodeJS.EventEmitter }).socket;
    const gone = disconnected(socket);
    // This frame has reserved bits set.
    tcp.write(Buffer.from([0xf1, 0x80]));
    await expect(gone).resolves.toBe('transport error');
    inside.emit('error', new Error('once more'));
    await clientsGone(rig.engine);
  });

  it('a websocket whose request was released is not counted after its connection breaks', async () => {
    const rig = await start();
    const { webSocket, socket } = await joined(rig);
    const gone = disconnected(socket);
    webSocket.terminate();
    await expect(gone).resolves.toBe('transport close');
    await clientsGone(rig.engine);
  });
});
