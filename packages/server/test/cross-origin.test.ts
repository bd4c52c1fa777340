import { request, type IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { secret } from './access/tokens.ts';
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

/** The head of an answer; a body that may never end is not read. */
function ask(url: string, { method = 'GET', path, headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, headers, agent: false }, (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
      response.on('error', () => {}).resume();
      if (response.headers['content-type'] === 'text/event-stream') response.destroy();
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const stream = { accept: 'text/event-stream' };
const json = { 'content-type': 'application/json' };

/** Every route, and what it answers to a page that may ask. `stats` and the like are answered to an admin, as all are here. */
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
  ['a connection that is not there', 404, { method: 'DELETE', path: '/connections/x' }],
  [
    'a publish',
    200,
    { method: 'POST', path: '/publish', headers: json, body: '{"topic": "news", "message": 1}' },
  ],
  ['a publish of many', 200, { method: 'POST', path: '/publish', headers: json, body: '[]' }],
  ['a publish without a body', 415, { method: 'POST', path: '/publish' }],
  ['a publish that is no JSON', 400, { method: 'POST', path: '/publish', headers: json, body: '{' }],
  ['nothing', 404, { path: '/nothing' }],
  ['a method that there is not', 405, { method: 'DELETE', path: '/publish' }],
  ['a path that is no UTF-8', 400, { path: '/topics/%ff' }],
  ['a path that is not encoded', 400, { path: '/topics/%' }],
  ['an Expect that there is not', 417, { path: '/topics', headers: { expect: 'a-miracle' } }],
  ['a session', 200, { path: '/socket.io/?EIO=4&transport=polling' }],
  ['a session of another version', 400, { path: '/socket.io/?EIO=3&transport=polling' }],
  ['a session that is over', 400, { path: '/socket.io/?EIO=4&transport=polling&sid=x' }],
  ['a transport that there is not', 400, { path: '/socket.io/?EIO=4&transport=pigeon' }],
  ["Socket.IO's own client", 200, { path: '/socket.io/socket.io.js' }],
];

/** The one table of all answers, by the page that asks. */
const pages: readonly (readonly [who: string, origin: string | undefined, allowed: string | undefined])[] = [
  ['no page', undefined, undefined],
  ['a page whose origin is named', named, named],
  ['a page of another origin', foreign, undefined],
];

describe('every answer says which pages may read it', () => {
  it.each(pages)('to %s, on every route', async (_who, origin, allowed) => {
    const { url } = await startServer({ origins: named });
    for (const topic of ['news', 'old']) await declare(url, topic);
    const from = origin === undefined ? {} : { origin };
    const wrong: unknown[] = [];
    for (const [what, status, { headers, ...rest }] of routes) {
      const answer = await ask(url, { ...rest, headers: { ...headers, ...from } });
      const seen = seenOf(answer);
      const due = { isVaried: true, allowed };
      if (JSON.stringify(seen) !== JSON.stringify(due)) wrong.push([what, status, seen]);
      if (origin !== foreign) expect([what, answer.status]).toEqual([what, status]);
    }
    expect(wrong).toEqual([]);
  });

  it.each(pages)('to %s, without a token', async (_who, origin, allowed) => {
    const { url } = await startServer({ origins: named, key: secret });
    const headers = origin === undefined ? {} : { origin };
    for (const path of ['/topics', '/topics/news/messages', '/stats', '/revocations/ann']) {
      const answer = await ask(url, { path, headers: { ...headers, ...stream } });
      expect([path, seenOf(answer)]).toEqual([path, { isVaried: true, allowed }]);
    }
  });

  it('while it polls', async () => {
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
      expect([poll.method, seenOf(answer)]).toEqual([poll.method, { isVaried: true, allowed: named }]);
    }
  });

  it('to a preflight, on every path', async () => {
    const { url } = await startServer({ origins: named });
    const headers = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-a' };
    for (const path of ['/topics/news', '/publish', '/socket.io/?EIO=4&transport=polling', '/nothing']) {
      const answer = await ask(url, { method: 'OPTIONS', path, headers: { origin: named, ...headers } });
      expect([path, answer.status, seenOf(answer)]).toEqual([path, 204, { isVaried: true, allowed: named }]);
      expect(answer.headers).toMatchObject({
        'access-control-allow-headers': 'x-a',
        'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
      });
      const refused = await ask(url, { method: 'OPTIONS', path, headers: { origin: foreign, ...headers } });
      expect([path, seenOf(refused)]).toEqual([path, { isVaried: true, allowed: undefined }]);
      expect(refused.headers['access-control-allow-methods']).toBeUndefined();
    }
  });

  it('also where no origin is named', async () => {
    const { url } = await startServer();
    for (const path of ['/', '/topics', '/socket.io/?EIO=4&transport=polling', '/fanfare.js']) {
      const answer = await ask(url, { path, headers: { origin: foreign } });
      expect([path, seenOf(answer)]).toEqual([path, { isVaried: true, allowed: undefined }]);
    }
  });

  it('beside the other headers that an answer depends on', async () => {
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
}

function seenOf({ headers }: Answer): Seen {
  return {
    isVaried: (headers.vary ?? '').toLowerCase().split(', ').includes('origin'),
    allowed: headers['access-control-allow-origin'],
  };
}
