import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attach, SettingsError } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, startListening, within } from '../../../test/waits.ts';
import { launchBrowser } from './browser.ts';
import { connectClient, startServer } from './harness.ts';
import { RawPolling, RawWebSocket } from './hostile/wire.ts';

const app = 'https://app.example';
const origins = `${app}, http://localhost:5173`;

describe('a page of an allowed origin', () => {
  it.each(['websocket', 'polling', 'upgrade'] as const)(
    'a page of an allowed origin connects over %s',
    async (transport) => {
      const { url } = await startServer({ origins });
      for (const origin of [app, 'http://localhost:5173', url]) {
        const client = await connectClient(url, transport, { extraHeaders: { origin } });
        expect(client.connected).toBe(true);
      }
    },
  );

  it('a page of an allowed origin can continue its polling session, and no other page can', async () => {
    const { url } = await startServer({ origins });
    const { opened, url: session } = await RawPolling.open(url);
    const post = async (origin: string): Promise<number> => {
      const request = { method: 'POST', body: '40', headers: { origin, connection: 'close' } };
      return (await fetch(session, request)).status;
    };
    const upgrade = async (origin: string): Promise<string> => {
      const socket = new RawWebSocket(url, { sid: opened.sid }, { headers: { origin } });
      const answered = new Promise<string>((resolve) => {
        socket.socket.once('open', () => resolve('open'));
        socket.socket.once('error', ({ message }) => resolve(message));
      });
      return within(soonMs, 'the upgrade is taken or refused', answered);
    };
    expect([await post('https://evil.example'), await post(app)]).toEqual([403, 200]);
    expect([await upgrade('https://evil.example'), await upgrade(app)]).toEqual([
      'Unexpected server response: 400',
      'open',
    ]);
  });

  it('a page of an allowed origin can send HTTP requests, and no other page can', async () => {
    const { url } = await startServer({ origins });
    const allowed = async (path: string, origin: string, method = 'GET'): Promise<string | null> => {
      const response = await fetch(`${url}${path}`, { method, headers: { origin, connection: 'close' } });
      return response.headers.get('access-control-allow-origin');
    };
    for (const path of ['/topics', '/topics/nobody', '/socket.io/?EIO=4&transport=polling']) {
      expect([path, await allowed(path, app)]).toEqual([path, app]);
      expect([path, await allowed(path, 'https://evil.example')]).toEqual([path, null]);
    }
    expect(await allowed('/publish', app, 'POST')).toBe(app);
  });

  it('a page of an allowed origin can send cookies, unless its origin is `null`, which every sandboxed frame has', async () => {
    const { url } = await startServer({ origins: `${app},null` });
    for (const origin of [app, 'null']) {
      const { headers } = await fetch(`${url}/topics`, { headers: { origin, connection: 'close' } });
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-credentials')).toBe(origin === 'null' ? null : 'true');
    }
  });

  it('a page of an allowed origin learns from a preflight what it can send', async () => {
    const { url } = await startServer({ origins });
    const ask = { origin: app, 'access-control-request-method': 'POST', connection: 'close' };
    const headers = {
      ...ask,
      'access-control-request-headers': 'content-type,authorization,idempotency-key',
    };
    const response = await fetch(`${url}/publish`, { method: 'OPTIONS', headers });
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': app,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
      'access-control-allow-headers': 'content-type,authorization,idempotency-key',
      'access-control-max-age': '600',
    });
    expect(response.headers.get('access-control-allow-credentials')).toBe('true');
  });

  it('a page of an allowed origin can use an attached Fanfare; otherwise the app responds to preflights itself', async () => {
    for (const named of [origins, '']) {
      const http = createHttpServer((_request, response) => response.writeHead(418).end());
      const fanfare = await attach(http, { origins: named });
      await startListening(http);
      onTestFinished(async () => {
        await fanfare.stop();
        http.close();
      });
      const { port } = http.address() as AddressInfo;
      const { status } = await fetch(`http://127.0.0.1:${port}/publish`, {
        method: 'OPTIONS',
        headers: { origin: app, 'access-control-request-method': 'POST', connection: 'close' },
      });
      expect(status).toBe(named === '' ? 418 : 204);
    }
  });

  it('a page of an allowed origin subscribes, publishes and reads in a real browser', async () => {
    const page = createHttpServer((_request, response) =>
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>An app</title>'),
    );
    await startListening(page);
    onTestFinished(() => void page.close());
    const origin = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const tryAll = async (named: string): Promise<unknown> => {
      const { url } = await startServer({ origins: named });
      const tab = await browser.newPage();
      await tab.goto(origin);
      await tab.addScriptTag({ url: `${url}/fanfare.js` });
      // This is a text because the page runs it, not this program.
      return tab.evaluate(`(async () => {
        const fanfare = Fanfare.connect('${url}');
        const failed = new Promise((resolve) => fanfare.onStatus(({ error }) => error && resolve('refused')));
        const worked = (async () => {
          const got = [];
          fanfare.subscribe('news', ({ message }) => got.push(message));
          await fanfare.publish('news', 1);
          for await (const { message } of fanfare.history('news')) got.push(message);
          got.push(await new Promise((resolve, reject) => {
            const stream = new EventSource('${url}/topics/news/messages?from=earliest');
            stream.onmessage = ({ data }) => resolve(JSON.parse(data).message);
            stream.onerror = () => reject(new Error('the browser gave the stream up'));
          }));
          return got;
        })();
        return Promise.race([failed, worked]);
      })()`);
    };
    expect(await tryAll(origin)).toEqual([1, 1, 1]);
    expect(await tryAll('https://app.example')).toBe('refused');
  });
});

describe('a page of an origin that resembles an allowed one', () => {
  it.each([
    'null',
    'https://app.example.evil.example',
    'https://evil-app.example',
    'https://app.example:8443',
    'http://app.example',
    'https://APP.example',
    'https://app.example/',
    'https://user@app.example',
    'https://app.example, https://evil.example',
    'https://localhost:5173',
    'http://127.0.0.1:5173',
  ])('a page of an origin that resembles an allowed one cannot connect: %s', async (origin) => {
    const { url } = await startServer({ origins });
    const extraHeaders = { origin };
    await expect(connectClient(url, 'websocket', { extraHeaders })).rejects.toThrow('websocket error');
    await expect(connectClient(url, 'polling', { extraHeaders })).rejects.toThrow('xhr poll error');
  });
});

it.each([
  '*',
  'app.example',
  'https://app.example/',
  'https://app.example,',
  'https://*.example',
  'HTTPS://app.example',
])('the setting `origins` refuses %s', async (wrong) => {
  await expect(startServer({ origins: wrong })).rejects.toThrow(SettingsError);
});

it('the setting `origins` accepts `null`, the origin of a sandboxed page', async () => {
  const { url } = await startServer({ origins: 'null' });
  const client = await connectClient(url, 'polling', { extraHeaders: { origin: 'null' } });
  expect(client.connected).toBe(true);
});
