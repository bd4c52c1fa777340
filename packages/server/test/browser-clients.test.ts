/*
 * The Socket.IO client in a real browser: over each transport, in a Web Worker, and on a page that is left
 * and comes back from the back/forward cache.
 */
import { createServer } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startListening, until } from '../../../test/waits.ts';
import { launchBrowser } from './browser.ts';
import { publish, startServer, transports, type Transport } from './harness.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser.close());

/** The options of a client, as the text of an expression. */
function optionsOf(transport: Transport): string {
  const list = transport === 'upgrade' ? ['polling', 'websocket'] : [transport];
  return JSON.stringify({ transports: list });
}

/** Subscribes at each connect, as the text of a script. `seen` gets the messages. */
const subscribing = (url: string, transport: Transport): string => `
  const seen = [];
  const socket = io(${JSON.stringify(url)}, ${optionsOf(transport)});
  socket.on('connect', () => socket.emit('subscribe', { topic: 'news' }, () => seen.push('subscribed')));
  socket.on('news', ({ message }) => seen.push(message));
`;

/** Serves an app's pages, and Fanfare on a port of its own. */
async function startApp(pages: Readonly<Record<string, (url: string) => string>>): Promise<[string, string]> {
  let url = '';
  const app = createServer((request, response) => {
    const page = pages[request.url ?? ''];
    if (!page) return void response.writeHead(404).end();
    const type = request.url?.endsWith('.js') === true ? 'text/javascript' : 'text/html';
    response.setHeader('content-type', type).end(page(url));
  });
  const origin = `http://127.0.0.1:${await startListening(app)}`;
  onTestFinished(() => {
    app.close();
    app.closeAllConnections();
  });
  ({ url } = await startServer({ origins: origin, rules: [{ match: '**', create: 'publish' }] }));
  return [origin, url];
}

async function expectSeen(page: Page, message: unknown): Promise<void> {
  let seen: unknown[] = [];
  await until('the page sees the message', () => seen.includes(message), {
    step: async () => {
      seen = await page.evaluate<unknown[]>('window.read()');
    },
    soFar: () => seen,
  });
  expect(seen).toContain(message);
}

async function open(address: string): Promise<Page> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(address);
  return page;
}

const document = (script: string, url: string): string =>
  `<!doctype html><title>An app</title><script src="${url}/socket.io/socket.io.js"></script>
  <script>${script}</script>`;

describe.each(transports)('a page whose client uses %s', (transport) => {
  it('a page subscribes and gets messages', async () => {
    // Proves: `expectSeen` fails if the page does not get the message.
    const [origin, url] = await startApp({
      '/': (server) => document(`${subscribing(server, transport)} window.read = () => seen;`, server),
    });
    const page = await open(`${origin}/`);
    await expectSeen(page, 'subscribed');
    await publish(url, { topic: 'news', message: 'é' });
    await expectSeen(page, 'é');
  });

  it('a Web Worker subscribes and gets messages', async () => {
    // Proves: `expectSeen` fails if the worker does not get the message.
    const [origin, url] = await startApp({
      '/': (server) =>
        document(
          `const seen = []; window.read = () => seen;
          new Worker('/worker.js').onmessage = ({ data }) => seen.splice(0, Infinity, ...data);`,
          server,
        ),
      '/worker.js': (server) => `
        importScripts('${server}/socket.io/socket.io.min.js');
        ${subscribing(server, transport)}
        setInterval(() => postMessage(seen), 20);`,
    });
    const page = await open(`${origin}/`);
    await expectSeen(page, 'subscribed');
    await publish(url, { topic: 'news', message: 1 });
    await expectSeen(page, 1);
  });

  it('a page that is left and comes back gets messages again', async () => {
    const [origin, url] = await startApp({
      '/': (server) => document(`${subscribing(server, transport)} window.read = () => seen;`, server),
      '/other': () => '<!doctype html><title>Another page</title>',
    });
    const page = await open(`${origin}/`);
    await expectSeen(page, 'subscribed');
    await page.goto(`${origin}/other`);
    await page.goBack();
    let number = 0;
    await until('a message comes after the return', async () => {
      await publish(url, { topic: 'news', message: ++number });
      const seen = await page.evaluate<unknown[]>('window.read()');
      return seen.some((message) => typeof message === 'number');
    });
    expect(number).toBeGreaterThan(0);
  });
});
