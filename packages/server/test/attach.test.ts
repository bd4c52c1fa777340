import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Stats } from '@fanfare/protocol';
import { attach } from '@fanfare/server';
import express from 'express';
import fastify from 'fastify';
import { Server as SocketServer } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { WebSocket, WebSocketServer } from 'ws';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, startListening, within } from '../../../test/waits.ts';
import { bearer, secret, tokenFor } from './access/tokens.ts';
import { connectClient, connectRaw, publish, Recorder, transports } from './harness.ts';
import { RawWebSocket } from './hostile/wire.ts';
import { collectUncaught } from '../../fanout/test/uncaught.ts';

async function listen(httpServer: HttpServer): Promise<string> {
  await startListening(httpServer);
  onTestFinished(() => void httpServer.close());
  return `http://localhost:${(httpServer.address() as AddressInfo).port}`;
}

/** Apps with their own pages, one of them at a path of a Fanfare route. */
const apps: readonly [string, () => Promise<HttpServer>][] = [
  [
    'Express',
    async () => {
      const app = express();
      app.get('/', (_request, response) => void response.send('the app'));
      app.get('/publish', (_request, response) => void response.send('a form'));
      return createHttpServer(app);
    },
  ],
  [
    'Fastify',
    async () => {
      const app = fastify();
      app.get('/', async () => 'the app');
      app.get('/publish', async () => 'a form');
      await app.ready();
      return app.server;
    },
  ],
  [
    'plain Node',
    async () =>
      createHttpServer((request, response) => response.end(request.url === '/' ? 'the app' : 'a form')),
  ],
];

describe.each(apps)('Fanfare attached to an app of %s', (_name, createApp) => {
  it('Fanfare attached to an app handles publishes and Socket.IO, and passes all other requests to the app', async () => {
    const httpServer = await createApp();
    const fanfare = await attach(httpServer);
    const url = await listen(httpServer);
    for (const transport of transports) {
      const client = await connectClient(url, transport);
      const recorder = new Recorder(client);
      await client.emitWithAck('subscribe', { topic: 'news' });
      expect(await publish(url, { topic: 'news', message: transport })).toMatchObject({ status: 200 });
      expect(await fanfare.publish('news', 'from the app')).toMatchObject({ ok: true, topic: 'news' });
      expect(await recorder.settled(url)).toEqual([
        ['news', { message: transport }],
        ['news', { message: 'from the app' }],
      ]);
    }
    expect(await (await fetch(url)).text()).toBe('the app');
    expect(await (await fetch(`${url}/publish`)).text()).toBe('a form');
    await fanfare.stop();
    expect(await (await fetch(url)).text()).toBe('the app');
  });

  it("Fanfare attached to an app ignores a client's upgrade to another protocol, as the app does", async () => {
    const httpServer = await createApp();
    const fanfare = await attach(httpServer);
    const url = await listen(httpServer);
    const { socket, ended } = connectRaw(url);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n');
    await nextEvent(socket, 'data', 'the app answers');
    socket.end();
    expect(await ended).toMatch(/^HTTP\/1\.1 200 OK[^]*the app/);
    await fanfare.stop();
  });

  it('Fanfare attached to an app restores the HTTP server on stop, and can be attached again', async () => {
    const httpServer = await createApp();
    const listeners = (): unknown => [
      httpServer.listeners('request'),
      httpServer.listeners('upgrade'),
      // Node's rule for upgrades.
      (httpServer as { readonly shouldUpgradeCallback?: unknown }).shouldUpgradeCallback,
    ];
    const before = listeners();
    const url = await listen(httpServer);
    for (let round = 0; round < 2; round++) {
      const fanfare = await attach(httpServer);
      const client = await connectClient(url);
      await client.emitWithAck('subscribe', { topic: 'news' });
      expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(200);
      await fanfare.stop();
      expect(listeners()).toEqual(before);
      expect(await (await fetch(url)).text()).toBe('the app');
    }
  });
});

describe('Fanfare attached to an app', () => {
  it('an app with Fanfare gets all requests of a connection, even after its listener has thrown for one', async () => {
    const thrown = collectUncaught();
    const seen: (string | undefined)[] = [];
    const httpServer = createHttpServer(({ url }, response) => {
      seen.push(url);
      if (url === '/40') throw new Error('from the app');
      response.end();
    });
    await attach(httpServer);
    const paths = Array.from({ length: 100 }, (_, number) => `/${number}`);
    const { socket } = connectRaw(await listen(httpServer));
    socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
    await expect.poll(() => seen).toEqual(paths);
    expect(thrown).toEqual(['from the app']);
  });

  it('an app with Fanfare gets requests that it emits itself, without a connection', async () => {
    const seen: unknown[] = [];
    const httpServer = createHttpServer(({ url }) => void seen.push(url));
    await attach(httpServer);
    const paths = Array.from({ length: 100 }, (_, number) => `/${number}`);
    for (const url of paths) httpServer.emit('request', { url, method: 'GET', headers: {} }, {});
    expect(seen).toEqual(paths);
  });

  it('a `once` listener of an app with Fanfare is called for one request only', async () => {
    const httpServer = createHttpServer((_request, response) => response.end());
    const seen: (string | undefined)[] = [];
    httpServer.once('request', ({ url }) => void seen.push(url));
    const fanfare = await attach(httpServer);
    const url = await listen(httpServer);
    for (const path of ['/a', '/b']) await fetch(url + path);
    await fanfare.stop();
    await fetch(`${url}/c`);
    expect(seen).toEqual(['/a']);
  });

  it('an app with Fanfare finishes a response when an upgrade request to another protocol follows', async () => {
    const pieces = 50;
    const httpServer = createHttpServer(({ url }, response) => {
      if (url !== '/stream') return void response.end('behind');
      let left = pieces;
      const goOn = (): void => {
        while (left-- > 0) if (!response.write('x'.repeat(30_000))) return void response.once('drain', goOn);
        response.end();
      };
      return goOn();
    });
    await attach(httpServer);
    const { socket, ended } = connectRaw(await listen(httpServer));
    socket.write(
      `GET /stream HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
    );
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const answers = await ended;
    expect(answers.match(/x{30000}/g)).toHaveLength(pieces);
    expect(answers.match(/behind/g)).toHaveLength(2);
  });

  it.each(['ends its connection', 'resets its connection', 'sends without end'])(
    'an app with Fanfare learns that a client is gone that pipelined an upgrade request to another protocol: it %s',
    async (how) => {
      let begin = (): void => {};
      const begun = new Promise<void>((resolve) => (begin = resolve));
      const closed: string[] = [];
      const httpServer = createHttpServer((request, response) => {
        request.once('close', () => closed.push('request'));
        response.once('close', () => closed.push('response'));
        begin();
      });
      await attach(httpServer);
      const { socket } = connectRaw(await listen(httpServer));
      socket.write(
        'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      );
      await begun;
      if (how === 'ends its connection') socket.end('more');
      else if (how === 'resets its connection') socket.resetAndDestroy();
      else socket.write('x'.repeat(1_000_000));
      await expect.poll(() => closed.toSorted()).toEqual(['request', 'response']);
    },
  );

  it("Fanfare attached to an app restores the app's timeout on a connection after a large page was read", async () => {
    const httpServer = createHttpServer(({ socket }, response) => response.end(String(socket.timeout ?? 0)));
    // Otherwise Node sets the timeout again for each request.
    httpServer.keepAliveTimeout = 0;
    httpServer.timeout = 60_000;
    const rules = [{ match: '**', create: 'publish' }] as const;
    const fanfare = await attach(httpServer, { http: 'topics', rules });
    await fanfare.publish('news', 'x'.repeat(100_000));
    const { socket } = connectRaw(await listen(httpServer));
    let answers = '';
    socket.on('data', (piece: string) => (answers += piece));
    for (const path of ['/', '/topics/news/messages', '/']) {
      answers = '';
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await expect.poll(() => answers).toMatch(path === '/' ? /60000$/ : /"more":false/);
    }
  });
});

describe('Fanfare attached to an app of HTTPS', () => {
  it("Fanfare attached to an app over HTTPS ignores a client's upgrade to another protocol, as the app does", async () => {
    // A pre-shared key needs no certificate.
    const psk = Buffer.alloc(16, 'key');
    const httpServer = createHttpsServer({ ciphers: 'PSK', pskCallback: () => psk }, (_request, response) =>
      response.end('the app'),
    );
    const fanfare = await attach(httpServer);
    const { port } = new URL(await listen(httpServer));
    const socket = connectTls({
      port: Number(port),
      host: '127.0.0.1',
      ciphers: 'PSK',
      pskCallback: () => ({ psk, identity: 'a client' }),
      checkServerIdentity: () => undefined,
    });
    onTestFinished(() => void socket.destroy());
    let answers = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (answers += piece));
    const ended = nextEvent(socket, 'close', 'the connection of an upgrade that nobody takes is closed');
    const offer = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
    socket.write(`${offer}${offer}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await ended;
    expect(answers.match(/the app/g)).toHaveLength(3);
    await fanfare.stop();
  });
});

describe("Fanfare attached beside an app's own websockets", () => {
  it.each(['before', 'after'])(
    "Fanfare does not touch an app's own websockets that were there %s it, while attached and afterwards",
    async (when) => {
      const httpServer = createHttpServer();
      const ws = new WebSocketServer({ noServer: true });
      const addOwn = (): void => {
        httpServer.on('upgrade', (request, socket, head) => {
          if (request.url !== '/ws') return;
          // An app can take time to identify the client.
          setTimeout(() => ws.handleUpgrade(request, socket, head, (client) => client.send('hello')), 1_200);
        });
      };
      const hello = (url: string): Promise<string> => {
        const said = new Promise<string>((resolve, reject) => {
          const client = new WebSocket(`${url.replace('http', 'ws')}/ws`);
          client.once('message', (data: Buffer) => {
            client.close();
            resolve(data.toString());
          });
          client.once('error', reject);
        });
        return within(soonMs, "the app's own websocket says hello", said);
      };
      if (when === 'before') addOwn();
      const fanfare = await attach(httpServer);
      if (when === 'after') addOwn();
      const url = await listen(httpServer);
      expect(await hello(url)).toBe('hello');
      expect((await connectClient(url, 'websocket')).connected).toBe(true);
      await fanfare.stop();
      expect(await hello(url)).toBe('hello');
      expect(httpServer.listenerCount('upgrade')).toBe(1);
    },
  );
});

describe("Fanfare attached beside an app's own websockets, with an upgrade that neither accepts", () => {
  it.each(['ends', 'resets'])(
    'an upgrade that neither Fanfare nor the app accepts is released when its client %s the connection',
    async (how) => {
      const thrown = collectUncaught();
      const httpServer = createHttpServer();
      const untaken = nextEvent(httpServer, 'upgrade', 'the app sees the upgrade');
      const gone = within(
        soonMs,
        'the server sees the client leave',
        new Promise((resolve) => httpServer.once('connection', (socket) => socket.once('close', resolve))),
      );
      await attach(httpServer);
      const { socket } = connectRaw(await listen(httpServer));
      socket.write('GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      await untaken;
      if (how === 'ends') socket.end();
      else socket.resetAndDestroy();
      await gone;
      expect(thrown).toEqual([]);
    },
  );
});

describe('Fanfare attached to an app that listens where others can reach it', () => {
  /** Makes every connection look as if it came to an address of the machine's network. */
  const fromElsewhere = (httpServer: HttpServer): void => {
    httpServer.prependListener('connection', (socket) => {
      Object.defineProperty(socket, 'localAddress', { value: '192.0.2.1' });
    });
  };

  it('an attached Fanfare without a key refuses every request if others can reach it, but the app still responds', async () => {
    const httpServer = createHttpServer((_request, response) => response.end('the app'));
    fromElsewhere(httpServer);
    const fanfare = await attach(httpServer);
    const url = await listen(httpServer);
    const answer = await publish(url, { topic: 'news', message: 1 });
    expect(JSON.parse(answer.text)).toMatchObject({ status: 403, code: 'not_authorized' });
    await expect(connectClient(url, 'websocket')).rejects.toThrow('websocket error');
    await expect(connectClient(url, 'polling')).rejects.toThrow('xhr poll error');
    expect(await (await fetch(url)).text()).toBe('the app');
    await fanfare.stop();
  });

  it('an attached Fanfare that others can reach accepts requests with `open`', async () => {
    const httpServer = createHttpServer();
    fromElsewhere(httpServer);
    await attach(httpServer, { open: true });
    const url = await listen(httpServer);
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(200);
  });

  it('an attached Fanfare rejects the settings that the app decides', async () => {
    const options: object = { port: 1, topicsMax: 5 };
    await expect(attach(createHttpServer(), options)).rejects.toThrow(
      'attach() does not take port: the app itself listens.',
    );
  });
});

describe("Fanfare attached to an app's own Socket.IO server", () => {
  it("Fanfare attached to an app adds its events to the app's Socket.IO server, and keeps the app's own events and connections", async () => {
    const httpServer = createHttpServer((_request, response) => response.end('the app'));
    const io = new SocketServer(httpServer);
    onTestFinished(() => void io.close());
    io.on('connection', (socket) =>
      socket.on('chat', (text: string, ack: (answer: string) => void) => ack(`you said ${text}`)),
    );
    const url = await listen(httpServer);
    const early = await connectClient(url);
    const fanfare = await attach(httpServer, { io });
    const client = await connectClient(url, 'polling');
    const recorders = [early, client].map((connected) => new Recorder(connected));
    for (const connected of [early, client]) {
      await connected.emitWithAck('subscribe', { topic: 'news' });
      expect(await connected.emitWithAck('chat', 'hi')).toBe('you said hi');
      connected.emit('an event of the app');
    }
    await publish(url, '{"topic":"news","message":{"a":[1.50]}}');
    await client.emitWithAck('publish', { topic: 'news', message: 'x' });
    for (const recorder of recorders) {
      expect(await recorder.settled(url)).toEqual([
        ['news', { message: { a: [1.5] } }],
        ['news', { message: 'x' }],
      ]);
    }

    await fanfare.stop();
    expect(await client.emitWithAck('chat', 'still here')).toBe('you said still here');
    expect(io.sockets.sockets.get(String(early.id))?.rooms).toEqual(new Set([early.id]));
  });

  it('Fanfare can be attached to an app again only after it was stopped', async () => {
    const httpServer = createHttpServer();
    const fanfare = await attach(httpServer);
    await expect(attach(httpServer)).rejects.toThrow('attached to this HTTP server already');
    await fanfare.stop();
    await (await attach(httpServer)).stop();
  });

  it('Fanfare is attached once when two calls race, and can be attached after a failed call', async () => {
    const httpServer = createHttpServer();
    await expect(attach(httpServer, { data: '/dev/null' })).rejects.toThrow();
    const both = await Promise.allSettled([attach(httpServer), attach(httpServer)]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    for (const one of both) if (one.status === 'fulfilled') await one.value.stop();
  });

  it('Fanfare attached to an app ignores clients that the app disconnected before', async () => {
    const httpServer = createHttpServer();
    const io = new SocketServer(httpServer);
    onTestFinished(() => void io.close());
    io.on('connection', (socket) => socket.disconnect(true));
    const url = await listen(httpServer);
    const fanfare = await attach(httpServer, { io, http: 'all' });
    const client = await RawWebSocket.open(url);
    await client.send('40');
    await client.ended();
    const stats = (await (await fetch(`${url}/stats`)).json()) as Stats;
    expect(stats.connections).toBe(0);
    await fanfare.stop();
  });

  it('a connection that Socket.IO recovers has no Fanfare subscriptions', async () => {
    const httpServer = createHttpServer();
    const io = new SocketServer(httpServer, { connectionStateRecovery: {} });
    onTestFinished(() => void io.close());
    const url = await listen(httpServer);
    await attach(httpServer, { io });
    const client = await connectClient(url, 'websocket', { reconnection: true });
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news' });
    // Socket.IO recovers a connection only from an event with an offset.
    await publish(url, { topic: 'news', message: 1 });
    await recorder.settled(url);
    const back = nextEvent(client, 'connect', 'Socket.IO recovers the connection');
    client.io.engine.close();
    await back;
    expect(client.recovered).toBe(true);
    await publish(url, { topic: 'news', message: 2 });
    expect(await recorder.settled(url)).toHaveLength(1);
  });

  it('a connection that Socket.IO recovers needs a token again, and gets no messages before', async () => {
    const httpServer = createHttpServer();
    const io = new SocketServer(httpServer, { connectionStateRecovery: {} });
    onTestFinished(() => void io.close());
    const url = await listen(httpServer);
    await attach(httpServer, { io, key: secret });
    const headers = await bearer({ sub: 'root', admin: true });
    const connect = async (sub: string): Promise<Socket> => {
      const token = await tokenFor({ sub, subscribe: ['news'] });
      const client = await connectClient(url, 'websocket', { reconnection: true, auth: { token } });
      expect(await client.emitWithAck('subscribe', { topic: 'news' })).toMatchObject({ ok: true });
      return client;
    };
    const [leaving, staying] = [await connect('ann'), await connect('bob')];
    const recorder = new Recorder(leaving);
    const tell = async (message: number): Promise<void> => {
      const told = nextEvent(staying, 'news', 'the client that stays gets the message');
      expect((await publish(url, { topic: 'news', message }, headers)).status).toBe(200);
      await told;
    };
    const comeAgain = async (token: string | undefined): Promise<void> => {
      const back = nextEvent(leaving, 'connect', 'Socket.IO recovers the connection');
      leaving.io.engine.close();
      leaving.auth = { token };
      await tell(2);
      await back;
      expect(leaving.recovered).toBe(true);
    };
    await tell(1);
    // With a token that is not cached, events that are sent at once wait until it is verified.
    await comeAgain(await tokenFor({ sub: 'ann', publish: ['news'], exp: 500 }));
    await tell(3);
    expect(await leaving.emitWithAck('subscribe', { topic: 'news' })).toMatchObject({
      error: { code: 'not_authorized' },
    });
    expect(await leaving.emitWithAck('publish', { topic: 'news', message: 4 })).toMatchObject({ ok: true });
    const ended = nextEvent(leaving, 'error', 'the recovered client is asked for its token');
    await comeAgain(undefined);
    expect(await ended).toMatchObject({ code: 'not_authenticated' });
    await tell(5);
    expect(recorder.events.map(([event]) => event)).toEqual(['news', 'error']);
  });

  it('repeated attaching and stopping leaves no listeners on connected clients', async () => {
    const httpServer = createHttpServer();
    const io = new SocketServer(httpServer);
    onTestFinished(() => void io.close());
    const client = await connectClient(await listen(httpServer));
    const socket = io.sockets.sockets.get(String(client.id));
    const listeners = (): number[] =>
      ['subscribe', 'publish', 'disconnect'].map((event) => socket?.listenerCount(event) ?? -1);
    const before = listeners();
    for (let round = 0; round < 3; round++) await (await attach(httpServer, { io })).stop();
    expect(listeners()).toEqual(before);
  });

  it('Fanfare attached to an app only stops handling requests if other code also listens on the server by then', async () => {
    const httpServer = createHttpServer((_request, response) => response.end('the app'));
    const io = new SocketServer();
    onTestFinished(() => void io.close());
    const fanfare = await attach(httpServer, { io });
    io.attach(httpServer);
    const url = await listen(httpServer);
    await fanfare.stop();
    expect(await (await fetch(url)).text()).toBe('the app');
    expect(await (await fetch(`${url}/publish`, { method: 'POST' })).text()).toBe('the app');
    expect((await connectClient(url)).connected).toBe(true);
  });
});
