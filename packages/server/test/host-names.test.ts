import { get } from 'node:http';
import type { ServerOptions } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { isAllowedHost } from '../src/access/host-header.ts';
import { secret } from './access/tokens.ts';
import { launchBrowser } from './browser.ts';
import { connectClient, startServer } from './harness.ts';

/** The status of `GET /topics`, sent to a host name. */
function statusFor(url: string, host: string): Promise<number | undefined> {
  const answer = new Promise<number | undefined>((resolve, reject) => {
    get(`${url}/topics`, { headers: { host, connection: 'close' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
  return within(soonMs, `the server answers a request to ${host}`, answer);
}

describe('a host name that an attacker can own', () => {
  it.each([
    ['evil.example', 403],
    ['evil.example:5000', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example', 403],
    ['xlocalhost.example', 403],
    ['evil.example.', 403],
    ['a b', 403],
    ['app.example:81', 200],
    ['localhost', 200],
    ['LOCALHOST:1', 200],
    ['app.localhost', 200],
    ['127.0.0.1', 200],
    ['[::1]:5000', 200],
    ['192.168.0.7', 200],
    ['server', 200],
  ])('a server without a key refuses host names that an attacker could own: %s', async (host, status) => {
    const { url } = await startServer({ origins: 'https://app.example' });
    expect([await statusFor(url, host), isAllowedHost(host, ['https://app.example'])]).toEqual([
      status,
      status === 200,
    ]);
    const extraHeaders = { host };
    const connecting = connectClient(url, 'websocket', { extraHeaders });
    if (status === 200) expect((await connecting).connected).toBe(true);
    else await expect(connecting).rejects.toThrow();
  });

  it('a server with a key or `open` accepts any host name', async () => {
    const others: readonly ServerOptions[] = [{ open: true }, { key: secret }];
    for (const options of others) {
      const { url } = await startServer(options);
      expect(await statusFor(url, 'evil.example')).toBe(options.open ? 200 : 401);
    }
  });

  it("a page on an attacker's host name that points at this machine cannot read the server, in a real browser", async () => {
    const { url } = await startServer();
    const { port } = new URL(url);
    const browser = await launchBrowser('--host-resolver-rules=MAP *.example 127.0.0.1');
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    expect((await page.goto(`http://fine.localhost:${port}/`))?.status()).toBe(200);
    expect((await page.goto(`http://evil.example:${port}/topics`))?.status()).toBe(403);
    // This is a text because the page runs it, not this program.
    const socket = `new Promise((resolve) => {
      const socket = new WebSocket('ws://evil.example:${port}/socket.io/?EIO=4&transport=websocket');
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    })`;
    expect(await page.evaluate(socket)).toBe('refused');
  });
});
