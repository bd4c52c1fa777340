import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { startListening } from '../../../../test/waits.ts';
import { launchBrowser } from '../browser.ts';
import { startServer } from '../harness.ts';
import { openTab } from './page.ts';

it('the console says why a server behind a proxy refuses its connection, and not that the connection is lost', async () => {
  const { url } = await startServer();
  // This proxy changes the origin of Socket.IO requests, and forwards no upgrades.
  const proxy = createServer((incoming, outgoing) => {
    const { 'sec-fetch-site': _site, ...headers } = incoming.headers;
    const origin = incoming.url?.startsWith('/socket.io/') ? { origin: 'https://rt.example' } : {};
    const sent = request(
      `${url}${incoming.url}`,
      { method: incoming.method, headers: { ...headers, ...origin, connection: 'close' } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    sent.on('error', () => outgoing.destroy());
    incoming.pipe(sent);
  });
  proxy.on('upgrade', (_request, socket) => socket.destroy());
  await startListening(proxy);
  const browser = await launchBrowser();
  onTestFinished(async () => {
    await browser.close();
    proxy.closeAllConnections();
    proxy.close();
  });
  const { port } = proxy.address() as AddressInfo;
  const page = await openTab(browser, `http://localhost:${port}`, { expected: /WebSocket|403/ });
  const banner = page.getByRole('alert').filter({ hasText: 'The server refuses the connection' });
  await banner.waitFor();
  expect(await banner.textContent()).toContain('setting `origins`');
  expect(await page.getByText('is lost').count()).toBe(0);
});
