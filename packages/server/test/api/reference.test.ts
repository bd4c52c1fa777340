import { createServer as createHttpServer } from 'node:http';
import { attach } from '@fanfare/server';
import { expect, it, onTestFinished } from 'vitest';
import { startListening } from '../../../../test/waits.ts';
import { launchBrowser } from '../browser.ts';
import { secret } from '../access/tokens.ts';
import { startServer, strictLogger } from '../harness.ts';
import { operationsOf } from './judge.ts';
import { asyncApi, openApi } from '@fanfare/protocol/api';

const paths = ['/openapi.json', '/asyncapi.json', '/reference'];

it('a browser without JavaScript shows the reference page, which loads nothing else and names every request and event', async () => {
  const { url } = await startServer({ memory: true, key: secret });
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage({ javaScriptEnabled: false });
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  await page.goto(`${url}/reference`);
  expect(requests.filter((one) => !one.startsWith('data:'))).toEqual([`${url}/reference`]);
  expect(complaints).toEqual([]);
  const text = (await page.locator('main').innerText()).replaceAll(/\s+/g, ' ');
  for (const { method, path } of operationsOf(openApi('1.2.3'))) expect(text).toContain(`${method} ${path}`);
  for (const { address } of Object.values(asyncApi('1.2.3').channels)) expect(text).toContain(address);
  // The styles are applied: the policy allows them.
  expect(await page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse")).toBe(
    'collapse',
  );
});

it('every link of the reference page has a target', async () => {
  const { url } = await startServer({ memory: true });
  const html = await (await fetch(`${url}/reference`)).text();
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const links = [...html.matchAll(/ href="([^"]+)"/g)].map(([, target = '']) => target);
  const inside = links.filter((target) => target.startsWith('#'));
  expect(inside.length).toBeGreaterThan(100);
  expect(inside.filter((target) => !ids.includes(target.slice(1)))).toEqual([]);
  const outside = links.filter((target) => !target.startsWith('#') && !target.startsWith('data:'));
  expect(new Set(outside)).toEqual(new Set(['openapi.json', 'asyncapi.json']));
  for (const target of outside) expect((await fetch(new URL(target, `${url}/reference`))).status).toBe(200);
});

it('the API documents need no token, can be cached, and take only GET and HEAD', async () => {
  const { url } = await startServer({ memory: true, key: secret });
  for (const path of paths) {
    const whole = await fetch(url + path);
    const { headers } = whole;
    expect([path, whole.status, headers.get('cache-control')]).toEqual([path, 200, 'no-cache']);
    expect(headers.get('content-security-policy')).toMatch(/^default-src '(?:self|none)';/);
    const again = await fetch(url + path, { headers: { 'if-none-match': headers.get('etag') ?? '' } });
    expect([path, again.status, await again.text()]).toEqual([path, 304, '']);
    const head = await fetch(url + path, { method: 'HEAD' });
    expect([path, head.status, head.headers.get('etag')]).toEqual([path, 200, headers.get('etag')]);
    const other = await fetch(url + path, { method: 'POST' });
    expect([path, other.status, other.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD']);
    const foreign = await fetch(url + path, { headers: { origin: 'https://a.example' } });
    expect([path, foreign.status]).toEqual([path, 403]);
  }
});

it("an app's HTTP server has the API documents only with `http: 'all'`", async () => {
  for (const http of ['publish', 'topics', 'all'] as const) {
    const httpServer = createHttpServer((_request, response) => response.end('the app'));
    const port = await startListening(httpServer);
    onTestFinished(() => void httpServer.close());
    await attach(httpServer, { http, memory: true, logger: strictLogger });
    for (const path of paths) {
      const text = await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
      expect([http, path, text === 'the app']).toEqual([http, path, http !== 'all']);
    }
  }
});
