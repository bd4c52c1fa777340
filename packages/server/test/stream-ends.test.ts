/*
 * A stream that is cut is an error for its client, so that the client reconnects. A stream that ends properly
 * ends as HTTP requires. Clients that read with `fetch`, with Python's requests and with
 * @microsoft/fetch-event-source know no other difference.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import {
  createServer as createHttpServer,
  get,
  request,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  type Server as HttpServer,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import type { ConnectionPage } from '@fanfare/protocol';
import { attach } from '@fanfare/server';
import type { fetchEventSource } from '@microsoft/fetch-event-source';
import { rolldown } from 'rolldown';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startListening, until } from '../../../test/waits.ts';
import { freePort } from '../../../bench/src/free-port.ts';
import { bearer, secret, tokenFor } from './access/tokens.ts';
import { launchBrowser } from './browser.ts';
import { BreakableNetwork } from './faults/breakable-network.ts';
import { startServerProcess, terminate } from './faults/server-process.ts';
import { connectRaw, publish, startServer } from './harness.ts';
import { declare, openStream, temporaryDirectory, topicUrl } from './http-tools.ts';
import { runPython } from './python-program.ts';

/** The path of nginx on Debian. */
const nginxPath = '/usr/sbin/nginx';

const news = (url: string): string => topicUrl(url, 'news', '/messages');

type Outcome = 'ended' | 'cut';

interface Reading {
  /** The way in which the stream ended. */
  readonly outcome: Promise<Outcome>;
}

/** Clients that read a stream. Each resolves once the first event has come. */
const clients: Readonly<Record<string, (url: string, token?: string) => Promise<Reading>>> = {
  fetch: async (url, token) => {
    const headers = { accept: 'text/event-stream', ...(token && { authorization: `Bearer ${token}` }) };
    const reader = (await fetch(news(url), { headers })).body?.getReader();
    if (!reader) throw new Error('there is no body');
    await reader.read();
    const read = async (): Promise<Outcome> => {
      await until('the stream ends', async () => (await reader.read()).done);
      return 'ended';
    };
    return { outcome: read().catch(() => 'cut') };
  },
  'Python requests': async (url, token = '') => {
    const program = runPython('stream_reader.py', news(url), token);
    await until('the stream begins', async () => (await program.line()) === 'event: subscribed');
    const read = async (): Promise<Outcome> => {
      let line = '';
      const isOver = async (): Promise<boolean> => {
        line = await program.line();
        return ['ended', 'cut ChunkedEncodingError'].includes(line);
      };
      await until('the program tells how the stream ended', isOver, { soFar: () => line });
      return line === 'ended' ? 'ended' : 'cut';
    };
    return { outcome: read() };
  },
  "Node's http": async (url, token) => {
    const stream = await openStream(news(url), token ? { authorization: `Bearer ${token}` } : {});
    return { outcome: stream.ended() };
  },
};

describe.each(Object.entries(clients))('a stream that is read with %s', (_name, read) => {
  it('a stream is cut without its end when the server is killed', async () => {
    const { server, url } = await startServerProcess({ data: await temporaryDirectory(), port: 0 });
    await declare(url, 'news');
    const { outcome } = await read(url);
    await server.kill();
    expect(await outcome).toBe('cut');
  });

  it('a stream is cut without its end when the server is terminated', async () => {
    const { server, url } = await startServerProcess({ data: await temporaryDirectory(), port: 0 });
    await declare(url, 'news');
    const { outcome } = await read(url);
    await terminate(server);
    expect(await outcome).toBe('cut');
  });

  it('a stream is cut without its end when the network breaks', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const network = await BreakableNetwork.to(url);
    const { outcome } = await read(network.url);
    network.cut();
    expect(await outcome).toBe('cut');
  });

  it('a stream ends properly when its token expires', async () => {
    const { url } = await startServer({ key: secret });
    const headers = await bearer({ admin: true });
    await fetch(topicUrl(url, 'news'), { method: 'PUT', headers });
    const { outcome } = await read(url, await tokenFor({ subscribe: ['news'], exp: 3 }));
    expect(await outcome).toBe('ended');
  });

  it('a stream ends properly when an operator ends it', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const { outcome } = await read(url);
    await endStreams(url);
    expect(await outcome).toBe('ended');
  });

  it('a stream ends properly when its messages are found to be damaged', async () => {
    const data = await temporaryDirectory();
    const first = await startServer({ data });
    await declare(first.url, 'news');
    const messages = Array.from({ length: 100 }, (_, at) => ({
      topic: 'news',
      message: `number ${at} ${'x'.repeat(1_000)}`,
    }));
    for (const message of messages) await publish(first.url, message);
    await first.server.stop();
    damage(join(data, 'log.mdb'), 'number 50 ');
    const { url } = await startServer({ data, logger: { warn: () => {}, error: () => {} } });
    const { outcome } = await read(url);
    expect(await outcome).toBe('ended');
  });
});

/** Ends all streams like an operator. */
async function endStreams(url: string): Promise<void> {
  const headers = { connection: 'close' };
  const { connections } = (await (await fetch(`${url}/connections`, { headers })).json()) as ConnectionPage;
  for (const { id, transport } of connections) {
    if (transport === 'stream') await fetch(`${url}/connections/${id}`, { method: 'DELETE', headers });
  }
}

/** Changes a letter of a text at every place of a file. */
function damage(file: string, text: string): void {
  const bytes = readFileSync(file);
  let found = 0;
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1), found++)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  expect(found).toBeGreaterThan(0);
  writeFileSync(file, bytes);
}

describe('a stream over HTTP/1.1', () => {
  const asked = 'GET /topics/news/messages HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n';

  it('a stream over HTTP/1.1 that ends properly sends its last chunk, and its connection accepts further requests', async () => {
    const { url } = await startServer({ stallTimeoutMs: 1_000 });
    await declare(url, 'news');
    const { socket, ended } = connectRaw(url);
    const saw = sawOn(socket);
    socket.write(asked);
    await saw(/^HTTP\/1\.1 200 OK\r\n[^]*event: subscribed/);
    await endStreams(url);
    await saw(/\r\n0\r\n\r\n$/);
    socket.write('GET /topics/news HTTP/1.1\r\nHost: x\r\n\r\n');
    await saw(/\r\n\r\n\{"topic":"news"[^]*\}$/);
    socket.write('GET /topics/news HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const [head = ''] = (await ended).split('\r\n\r\n');
    expect(head.toLowerCase()).toContain('transfer-encoding: chunked');
    expect(head.toLowerCase()).not.toContain('connection: close');
  });

  it('a stream over HTTP/1.1 sends all messages of one turn in one chunk with one write', async () => {
    const httpServer = createHttpServer();
    const fanfare = await attach(httpServer, { http: 'topics', rules: [{ match: '**', create: 'publish' }] });
    await startListening(httpServer);
    onTestFinished(() => void httpServer.close());
    onTestFinished(() => fanfare.stop());
    await fanfare.publish('news', 'first');
    let writes = 0;
    httpServer.once('connection', (socket: Socket) => {
      for (const name of ['_write', '_writev'] as const) {
        const write = socket[name]?.bind(socket) as (...args: unknown[]) => void;
        socket[name] = (...args: unknown[]) => {
          writes++;
          write(...args);
        };
      }
    });
    const url = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`;
    const { socket } = connectRaw(url);
    const saw = sawOn(socket);
    socket.write(asked);
    await saw(/event: state[^]*\n\n/);
    const before = writes;
    await publish(
      url,
      [...'abcdefghij'].map((message) => ({ topic: 'news', message })),
    );
    // The length of the chunk is followed by all messages.
    await saw(/\r\n[0-9a-f]+\r\nid[^\r]*"a"[^\r]*"b"[^\r]*"j"[^\r]*\n\n\r\n$/);
    expect(writes - before).toBe(1);
  });

  it('a stream over HTTP/1.1 sends no last chunk when the server stops, though all waiting messages were sent', async () => {
    const { url, server } = await startServer();
    await declare(url, 'news');
    const { socket, ended } = connectRaw(url);
    socket.write(asked);
    await sawOn(socket)(/event: subscribed[^]*\n\n/);
    await server.publish('news', 'last');
    await server.stop();
    const text = await ended;
    expect(text).toMatch(/"message":"last".*\n\n\r\n$/);
  });
});

describe('a stream over HTTP/1.0', () => {
  it.each(['', 'TE: chunked\r\n', 'Connection: keep-alive\r\n'])(
    'a stream over HTTP/1.0 has no chunks, and ends with its connection: %j',
    async (header) => {
      const { url } = await startServer({ open: true });
      await declare(url, 'news');
      const { socket, ended } = connectRaw(url);
      socket.write(`GET /topics/news/messages HTTP/1.0\r\n${header}Accept: text/event-stream\r\n\r\n`);
      await sawOn(socket)(/event: subscribed[^]*\n\n/);
      await publish(url, { topic: 'news', message: 'last' });
      await endStreams(url);
      const [head = '', body = ''] = (await ended).split(/\r\n\r\n([^]*)/);
      expect(head.toLowerCase()).toContain('connection: close');
      expect(head.toLowerCase()).not.toContain('transfer-encoding');
      expect(body).toMatch(/^retry: 1000\nevent: subscribed\n[^\r]*"message":"last"[^\r]*\n\n$/);
    },
  );
});

/** Waits until the text of a raw connection matches an expression. */
function sawOn(socket: Socket): (wanted: RegExp) => Promise<void> {
  let text = '';
  socket.on('data', (chunk: string) => (text += chunk));
  return async (wanted) => until(`${wanted} comes`, () => wanted.test(text), { soFar: () => text });
}

describe('a stream over the HTTP server of an app', () => {
  const theApp: RequestListener = (_request, response) => void response.end('the app');
  // A pre-shared key needs no certificate.
  const psk = Buffer.alloc(16, 'key');
  const overTls = ({ port }: { readonly port?: unknown }): Socket =>
    connectTls({
      port: Number(port),
      host: '127.0.0.1',
      ciphers: 'PSK',
      pskCallback: () => ({ psk, identity: 'a client' }),
      checkServerIdentity: () => undefined,
    });

  const apps: readonly (readonly [string, () => HttpServer, RequestOptions])[] = [
    ['HTTP', () => createHttpServer(theApp), { agent: false }],
    [
      'HTTPS',
      () => createHttpsServer({ ciphers: 'PSK', pskCallback: () => psk }, theApp),
      { agent: undefined, createConnection: overTls },
    ],
  ];

  it.each(apps)(
    "a stream over an app's HTTP server is cut when Fanfare stops, and ends properly when an operator ends it: %s",
    async (_name, create, options) => {
      const httpServer = create();
      const fanfare = await attach(httpServer, { http: 'all', rules: [{ match: '**', create: 'publish' }] });
      await startListening(httpServer);
      onTestFinished(() => void httpServer.close());
      await fanfare.publish('news', 1);
      const url = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`;
      const ending = await openStream(news(url), {}, options);
      const listed = await new Promise<IncomingMessage>((resolve) => {
        get(`${url}/connections`, options, resolve);
      });
      const { connections } = (await json(listed)) as ConnectionPage;
      const path = `${url}/connections/${connections[0]?.id}`;
      request(path, { ...options, method: 'DELETE' }, (response) => response.resume()).end();
      expect(await ending.ended()).toBe('ended');
      const stopping = await openStream(news(url), {}, options);
      await fanfare.stop();
      expect(await stopping.ended()).toBe('cut');
    },
  );
});

describe('a stream behind nginx', () => {
  /** Starts nginx as a proxy for a server, in HTTP/1.1. */
  async function startNginx(to: string): Promise<string> {
    const directory = await temporaryDirectory();
    const port = await freePort();
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${directory}/${name};`,
    );
    await writeFile(
      join(directory, 'nginx.conf'),
      `daemon off; master_process off; pid ${directory}/pid; error_log stderr;
      events {}
      http {
        access_log off; ${paths.join(' ')}
        server {
          listen 127.0.0.1:${port};
          location / { proxy_pass ${to}; proxy_http_version 1.1; proxy_set_header Connection ""; }
        }
      }`,
    );
    const nginx = spawn(nginxPath, ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'], {
      stdio: 'ignore',
    });
    onTestFinished(() => void nginx.kill('SIGKILL'));
    const url = `http://127.0.0.1:${port}`;
    await expect
      .poll(async () =>
        fetch(url).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
    return url;
  }

  it.each(Object.entries(clients))(
    'a stream behind nginx is cut when the server is killed, and ends properly when an operator ends it: %s',
    async (_name, read) => {
      const { server, url: to } = await startServerProcess({ data: await temporaryDirectory(), port: 0 });
      await declare(to, 'news');
      const url = await startNginx(to);
      const ending = await read(url);
      await endStreams(url);
      expect(await ending.outcome).toBe('ended');
      const killed = await read(url);
      await server.kill();
      expect(await killed.outcome).toBe('cut');
    },
  );
});

describe('a client of @microsoft/fetch-event-source', () => {
  /** The messages that the page got, and how often its stream ended. */
  interface Seen {
    readonly got: unknown[];
    readonly ended: number;
  }

  async function openPage(url: string): Promise<() => Promise<Seen>> {
    const bundle = await rolldown({ input: '@microsoft/fetch-event-source', platform: 'browser' });
    const { output } = await bundle.generate({ format: 'iife', name: 'library' });
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(url);
    await page.evaluate(`${output[0].code}; globalThis.library = library;`);
    await page.evaluate(
      (path) => {
        const { library } = globalThis as unknown as {
          library: { fetchEventSource: typeof fetchEventSource };
        };
        const seen = { got: [] as unknown[], ended: 0 };
        Object.assign(globalThis, { seen });
        void library.fetchEventSource(path, {
          onmessage: ({ event, data }) => {
            const { message, recovered } = JSON.parse(data) as { message?: unknown; recovered?: boolean };
            if (event === '') seen.got.push(message);
            if (event === 'subscribed') seen.got.push(recovered ?? 'start');
          },
          onclose: () => void seen.ended++,
        });
      },
      new URL(news(url)).pathname,
    );
    return () => page.evaluate('seen');
  }

  it.each(['killed', 'terminated'] as const)(
    '@microsoft/fetch-event-source reconnects and resumes by itself when the server is %s',
    async (how) => {
      const options = { data: await temporaryDirectory(), port: await freePort() };
      const first = await startServerProcess(options);
      await declare(first.url, 'news');
      await publish(first.url, { topic: 'news', message: 1 });
      const seen = await openPage(first.url);
      await expect.poll(seen).toEqual({ got: ['start', 1], ended: 0 });
      await (how === 'killed' ? first.server.kill() : terminate(first.server));
      const { url } = await startServerProcess(options);
      await publish(url, { topic: 'news', message: 2 });
      await expect.poll(seen).toEqual({ got: ['start', 1, true, 2], ended: 0 });
    },
  );

  it('@microsoft/fetch-event-source does not reconnect after its stream has ended properly', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const seen = await openPage(url);
    await expect.poll(seen).toEqual({ got: ['start'], ended: 0 });
    await endStreams(url);
    await expect.poll(seen).toEqual({ got: ['start'], ended: 1 });
  });
});
