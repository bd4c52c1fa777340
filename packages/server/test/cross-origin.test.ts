import { createServer, request, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, startListening, within } from '../../../test/waits.ts';
import { secret } from './access/tokens.ts';
import { launchBrowser } from './browser.ts';
import { startServer } from './harness.ts';
import { declare } from './http-tools.ts';
import { RawPolling } from './hostile/wire.ts';

const named = 'https://app.example';
const foreign = 'https://evil.example';

interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** The head of a response. The body is not read, because a stream never ends. */
function ask(url: string, { method = 'GET', path, headers = {}, body }: Ask): Promise<Answer> {
  const answer = new Promise<Answer>((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, headers, agent: false }, (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
      response.on('error', () => {}).resume();
      if (response.headers['content-type'] === 'text/event-stream') response.destroy();
    });
    sent.on('error', reject);
    sent.end(body);
  });
  return within(soonMs, `the server answers ${method} ${path}`, answer);
}

const stream = { accept: 'text/event-stream' };
const json = { 'content-type': 'application/json' };

/** Every route, with its status for a page that is allowed. Every client of this server is an admin. */
const routes: readonly (readonly [what: string, status: number, ask: Ask])[] = [
  ['a line of text', 200, { path: '/' }],
  ['the page', 200, { path: '/', headers: { accept: 'text/html' } }],
  ['a script of the page', 200, { path: '/console/console.js' }],
  ['a style of the page', 200, { path: '/console/console.css' }],
  ['the SDK', 200, { path: '/fanfare.js' }],
  ['a file for HEAD', 200, { method: 'HEAD', path: '/fanfare.js' }],
  ['topics', 200, { path: '/topics' }],
  ['a topic', 200, { path: '/topics/news' }],
  ['a topic that is declared', 200, { method: 'PUT', path: '/topics/news' }],
  ['a topic that is deleted', 204, { method: 'DELETE', path: '/topics/old' }],
  ['a topic that does not exist', 404, { path: '/topics/nobody' }],
  ['a page of messages', 200, { path: '/topics/news/messages' }],
  ['a stream', 200, { path: '/topics/news/messages', headers: stream }],
  ['a stream for HEAD', 200, { method: 'HEAD', path: '/topics/news/messages', headers: stream }],
  ['a stream that is refused', 404, { path: '/topics/nobody/messages', headers: stream }],
  ['a stream with a wrong parameter', 400, { path: '/topics/news/messages?from=1', headers: stream }],
  ['subscribers', 200, { path: '/topics/news/subscribers' }],
  ['the identity', 200, { path: '/identity' }],
  ['figures', 200, { path: '/stats' }],
  ['connections', 200, { path: '/connections' }],
  ['an unknown connection', 404, { method: 'DELETE', path: '/connections/x' }],
  [
    'a publish',
    200,
    { method: 'POST', path: '/publish', headers: json, body: '{"topic": "news", "message": 1}' },
  ],
  ['a publish of many', 200, { method: 'POST', path: '/publish', headers: json, body: '[]' }],
  ['a publish without a body', 415, { method: 'POST', path: '/publish' }],
  ['a publish that is not JSON', 400, { method: 'POST', path: '/publish', headers: json, body: '{' }],
  ['nothing', 404, { path: '/nothing' }],
  ['an unknown method', 405, { method: 'DELETE', path: '/publish' }],
  ['a path that is not UTF-8', 400, { path: '/topics/%ff' }],
  ['a path that is not encoded', 400, { path: '/topics/%' }],
  ['an unknown Expect', 417, { path: '/topics', headers: { expect: 'a-miracle' } }],
  ['a session', 200, { path: '/socket.io/?EIO=4&transport=polling' }],
  ['a session of another version', 400, { path: '/socket.io/?EIO=3&transport=polling' }],
  ['a session that is over', 400, { path: '/socket.io/?EIO=4&transport=polling&sid=x' }],
  ['an unknown transport', 400, { path: '/socket.io/?EIO=4&transport=pigeon' }],
  ["Socket.IO's own client", 200, { path: '/socket.io/socket.io.js' }],
];

interface Sender {
  readonly headers: Readonly<Record<string, string>>;
  /** The `Access-Control-Allow-Origin` of every response. */
  readonly allowed?: string;
  /** Whether all requests are refused, except those for scripts that every page can load. */
  readonly isRefused?: true;
}

const crossSite = { 'sec-fetch-site': 'cross-site' };
const embedded = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'object' };

/** The table of all responses, by the sender of the request. */
const senders: readonly (readonly [who: string, sender: Sender])[] = [
  ['no page', { headers: {} }],
  ['a person who types the address', { headers: { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' } }],
  ['a page of its own', { headers: { 'sec-fetch-site': 'same-origin' } }],
  [
    'a page of its own, behind a proxy that changes the Host',
    { headers: { origin: 'https://rt.example', 'sec-fetch-site': 'same-origin' } },
  ],
  ['a page whose origin is named', { headers: { origin: named, ...crossSite }, allowed: named }],
  ['a page of another origin', { headers: { origin: foreign }, isRefused: true }],
  ['a page of no origin', { headers: { origin: 'null' }, isRefused: true }],
  ['a page of another site that names no origin', { headers: crossSite, isRefused: true }],
  ['an <object> of another site', { headers: { ...crossSite, ...embedded }, isRefused: true }],
  [
    'an <object> of the same site',
    { headers: { 'sec-fetch-site': 'same-site', ...embedded }, isRefused: true },
  ],
  [
    'an <img> of the same site',
    { headers: { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }, isRefused: true },
  ],
];

const scriptsForAll = new Set(['the SDK', 'a file for HEAD', "Socket.IO's own client"]);

describe('cross-origin headers of responses', () => {
  it.each(senders)(
    "every route's response to %s says which pages can read it",
    async (_who, { headers: from, allowed, isRefused = false }) => {
      const { url } = await startServer({ origins: named });
      for (const topic of ['news', 'old']) await declare(url, topic);
      for (const [what, status, { headers, ...rest }] of routes) {
        const answer = await ask(url, { ...rest, headers: { ...headers, ...from } });
        const isForAll = scriptsForAll.has(what);
        // This response reveals nothing.
        const isMalformed = status === 417;
        const isServed = isForAll || isMalformed || !isRefused;
        expect([what, answer.status, seenOf(answer)]).toEqual([
          what,
          isServed ? status : 403,
          {
            isVaried: true,
            allowed,
            policy: isForAll || allowed !== undefined ? 'cross-origin' : 'same-origin',
          },
        ]);
      }
    },
  );

  it.each(senders)(
    'a response to %s without a token says which pages can read it',
    async (_who, { headers, allowed, isRefused = false }) => {
      const { url } = await startServer({ origins: named, key: secret });
      for (const path of ['/topics', '/topics/news/messages', '/stats', '/connections/x']) {
        const answer = await ask(url, { path, headers: { ...stream, ...headers } });
        const policy = allowed === undefined ? 'same-origin' : 'cross-origin';
        expect([path, answer.status, seenOf(answer)]).toEqual([
          path,
          isRefused ? 403 : 401,
          { isVaried: true, allowed, policy },
        ]);
      }
    },
  );

  it('pages of other origins get the same refusal whether the topic exists or not', async () => {
    const { url } = await startServer({ origins: named });
    await declare(url, 'news');
    const body = async (path: string): Promise<string> =>
      (await fetch(`${url}${path}`, { headers: { origin: foreign, connection: 'close' } })).text();
    const [there, nothing] = [await body('/topics/news/messages'), await body('/topics/nobody/messages')];
    expect(there).toBe(nothing);
    expect(JSON.parse(there)).toMatchObject({
      code: 'not_authorized',
      detail:
        'Web pages of other origins are refused. To allow this page, add its origin to the setting `origins`.',
    });
  });

  it('every page can link to the page at `/`, and to nothing else', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const statusOf = async (path: string, headers: Readonly<Record<string, string>>, method = 'GET') =>
      (await ask(url, { method, path, headers: { ...crossSite, ...headers } })).status;
    const link = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect(await statusOf('/', link)).toBe(200);
    expect(await statusOf('/?a', link)).toBe(200);
    expect(await statusOf('/', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' })).toBe(403);
    expect(await statusOf('/', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'document' })).toBe(403);
    expect(await statusOf('/', { ...link, origin: foreign }, 'POST')).toBe(403);
    expect(await statusOf('/topics/news', link)).toBe(403);
    expect(await statusOf('/topics/news', { ...link, 'sec-fetch-site': 'same-site' })).toBe(200);
  });

  it('a page of another origin in a browser cannot find out which topics exist', async () => {
    const { url } = await startServer();
    await declare(url, 'secret');
    const page = createServer((_request, response) =>
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>An app</title>'),
    );
    await startListening(page);
    const { port } = page.address() as AddressInfo;
    const browser = await launchBrowser();
    onTestFinished(async () => {
      await browser.close();
      page.close();
    });
    // This is a text because the page runs it, not this program.
    const probe = (topic: string): string => `new Promise((resolve) => {
      const probe = document.createElement('object');
      probe.data = '${url}/topics/${topic}/messages';
      probe.onload = () => resolve('loaded');
      probe.onerror = () => resolve('failed');
      document.body.append(probe);
    })`;
    // Another site, and another origin of the same site.
    for (const host of ['127.0.0.1', 'localhost']) {
      const tab = await browser.newPage();
      await tab.goto(`http://${host}:${port}/`);
      expect([host, await tab.evaluate(probe('secret'))]).toEqual([host, 'failed']);
      expect([host, await tab.evaluate(probe('nobody'))]).toEqual([host, 'failed']);
      await tab.addScriptTag({ url: `${url}/fanfare.js` });
      await tab.addScriptTag({ url: `${url}/socket.io/socket.io.js` });
      expect(await tab.evaluate('[typeof Fanfare.connect, typeof io]')).toEqual(['function', 'function']);
      await tab.evaluate(`location.assign('${url}/')`);
      await tab.getByText('Connected', { exact: true }).waitFor();
    }
  });

  it('responses to polling requests say which pages can read them', async () => {
    const { url } = await startServer({ origins: named });
    const { url: session } = await RawPolling.open(url);
    const path = session.slice(url.length);
    const headers = { origin: named };
    const polls = [
      { method: 'POST', path, headers, body: '40' },
      { path, headers },
      { method: 'DELETE', path, headers },
    ];
    for (const poll of polls) {
      const answer = await ask(url, poll);
      expect([poll.method, seenOf(answer)]).toEqual([poll.method, seenByNamed]);
    }
  });

  it('responses to preflights say which pages can read them, on every path', async () => {
    const { url } = await startServer({ origins: named });
    const headers = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-a' };
    for (const path of ['/topics/news', '/publish', '/socket.io/?EIO=4&transport=polling', '/nothing']) {
      const answer = await ask(url, { method: 'OPTIONS', path, headers: { origin: named, ...headers } });
      expect([path, answer.status, seenOf(answer)]).toEqual([path, 204, seenByNamed]);
      expect(answer.headers).toMatchObject({
        'access-control-allow-headers': 'x-a',
        'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
      });
      const refused = await ask(url, { method: 'OPTIONS', path, headers: { origin: foreign, ...headers } });
      expect([path, refused.status, seenOf(refused)]).toEqual([path, 403, seenByOthers]);
      expect(refused.headers['access-control-allow-methods']).toBeUndefined();
    }
  });

  it('`Vary` names the origin beside the other headers on which a response depends', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    const varies = async (path: string, headers = {}): Promise<unknown> =>
      (await ask(url, { path, headers })).headers.vary?.toLowerCase().split(', ');
    expect(await varies('/')).toEqual(['origin', 'accept']);
    expect(await varies('/topics/news/messages')).toEqual(['origin', 'accept']);
    expect(await varies('/topics/news/messages', stream)).toEqual(['origin', 'accept']);
    expect(await varies('/fanfare.js')).toEqual(['origin', 'accept-encoding']);
  });
});

interface Seen {
  readonly isVaried: boolean;
  readonly allowed: string | undefined;
  readonly policy: string | undefined;
}

const seenByNamed: Seen = { isVaried: true, allowed: named, policy: 'cross-origin' };
const seenByOthers: Seen = { isVaried: true, allowed: undefined, policy: 'same-origin' };

function seenOf({ headers }: Answer): Seen {
  return {
    isVaried: (headers.vary ?? '').toLowerCase().split(', ').includes('origin'),
    allowed: headers['access-control-allow-origin'],
    policy: headers['cross-origin-resource-policy'] as string | undefined,
  };
}
