import { createServer as createHttpServer } from 'node:http';
import { attach, createServer } from '@fanfare/server';
import type { Stats } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { nextEvent, startListening, until } from '../../../test/waits.ts';
import { secret } from './access/tokens.ts';
import { connectClient, publish, startServer, strictLogger } from './harness.ts';
import { statusOf } from './http-tools.ts';

interface Operated {
  readonly url: string;
  readonly adminUrl: string;
  readonly stop: () => Promise<void>;
}

async function startOperated(options: Parameters<typeof startServer>[0] = {}): Promise<Operated> {
  const { url, server } = await startServer({ adminListen: '127.0.0.1:0', ...options });
  if (server.adminUrl === undefined) throw new Error('the server has no address for operators');
  return { url, adminUrl: server.adminUrl.replace('localhost', '127.0.0.1'), stop: () => server.stop() };
}

describe('the address for operators (`adminListen`)', () => {
  it('serves health, metrics and figures of a server with a key without a token, and nothing else', async () => {
    const { adminUrl } = await startOperated({ key: secret });
    expect(await (await fetch(`${adminUrl}/healthz`)).text()).toBe('{"ok":true}');
    expect(await (await fetch(`${adminUrl}/readyz`)).json()).toMatchObject({ ready: true });
    expect(await (await fetch(`${adminUrl}/metrics`)).text()).toContain('\nfanfare_publishes_total 0\n');
    expect(((await (await fetch(`${adminUrl}/stats?x=y`)).json()) as Stats).publishes).toBe(0);
    const publishing = await fetch(`${adminUrl}/publish`, { method: 'POST', body: '{}' });
    expect([publishing.status, ((await publishing.json()) as { detail: string }).detail]).toEqual([
      404,
      'There is nothing at /publish. This address has /healthz, /readyz, /metrics, /stats.',
    ]);
    const posting = await fetch(`${adminUrl}/metrics`, { method: 'POST' });
    expect([posting.status, posting.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await fetch(`${adminUrl}/metrics`, { method: 'HEAD' });
    expect([head.status, Number(head.headers.get('content-length')) > 1_000]).toEqual([200, true]);
  });

  it('refuses web pages of other sites, also those whose name leads to this machine', async () => {
    const { adminUrl } = await startOperated();
    const page = 'Origin: https://evil.example';
    expect(await statusOf(adminUrl, `GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n${page}`)).toBe(
      '403 Forbidden',
    );
    expect(await statusOf(adminUrl, 'GET /stats HTTP/1.1\r\nHost: evil.example')).toBe('403 Forbidden');
    expect(await statusOf(adminUrl, 'GET /readyz HTTP/1.1\r\nHost: lb.example')).toBe('200 OK');
    expect(await statusOf(adminUrl, 'GET /stats HTTP/1.1\r\nHost: localhost')).toBe('200 OK');
  });

  it('says that the server is stopping until the stop has ended', async () => {
    const { url, adminUrl, stop } = await startOperated();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const seen: string[] = [];
    const left = nextEvent(client, 'disconnect', 'the stopping server lets its client go');
    const stopped = stop();
    await until('`/readyz` is gone', async () => {
      const answer = await fetch(`${adminUrl}/readyz`, { headers: { connection: 'close' } }).then(
        async (response) => `${response.status} ${await response.text()}`,
        () => 'gone',
      );
      if (seen.at(-1) !== answer) seen.push(answer);
      return answer === 'gone';
    });
    expect(seen.filter((answer) => !answer.startsWith('200'))).toEqual([
      '503 {"ready":false,"checks":{"log":{"ok":true,"stored":"memory"},"running":{"ok":false,"reason":"The server is shutting down."}}}',
      'gone',
    ]);
    await left;
    await stopped;
  });

  it('a server whose address for operators is taken does not start, and names the setting', async () => {
    const taken = createHttpServer();
    const port = await startListening(taken);
    const server = createServer({ port: 0, adminListen: String(port), logger: strictLogger });
    await expect(server.start()).rejects.toThrow(
      `cannot listen on 127.0.0.1, port ${port} (EADDRINUSE). Change adminListen (--admin-listen).`,
    );
    taken.close();
  });

  it('`adminListen` accepts an address with a port, or a port, and refuses everything else', async () => {
    for (const wrong of ['here', 'host:', '1.2.3.4:65536', ':9464', 'http://x:1'])
      expect(() => createServer({ adminListen: wrong })).toThrow(
        `adminListen in the options must be HOST:PORT, such as 10.0.0.5:9464 or [::1]:9464, or a port, not "${wrong}".`,
      );
    const server = createServer({ port: 0, adminListen: 0 as never, logger: strictLogger });
    await server.start();
    expect(server.adminUrl).toMatch(/^http:\/\/localhost:\d+$/);
    await server.stop();
    await expect(attach(createHttpServer(), { adminListen: '0' } as object)).rejects.toThrow(
      'attach() does not take adminListen',
    );
  });

  it('`GET /metrics` and `/stats` of the main port need an admin, and those for operators count the refusals', async () => {
    const { url, adminUrl } = await startOperated({ key: secret });
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(401);
    const text = await (await fetch(`${adminUrl}/metrics`)).text();
    expect(text).toContain('\nfanfare_refusals_total{code="not_authenticated"} 2\n');
    expect(text).toContain('\nfanfare_authentications_total{result="not_authenticated"} 2\n');
  });
});
