import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { nextEvent, soonMs, until, within } from '../../../test/waits.ts';
import { echoApp, startEngine } from './harness.ts';
import { startStock } from './stock-server.ts';

interface Answer {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

async function ask(url: string, method: string, target: string, sent?: string): Promise<Answer> {
  const request = httpRequest(`${url}${target}`, { method, agent: false });
  request.end(sent);
  const response = await nextEvent<IncomingMessage>(request, 'response', 'the server responds');
  const body = await within(soonMs, 'the response ends', text(response));
  return { status: response.statusCode, type: response.headers['content-type'], body };
}

async function askUpgrade(url: string, target: string): Promise<string> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${target}`);
  socket.on('error', () => {});
  const refused = once(socket, 'unexpected-response').then(async (values) => {
    const response = values[1] as IncomingMessage;
    return `${response.statusCode} ${await text(response)}`;
  });
  const accepted = once(socket, 'open').then(() => 'accepted');
  const answer = await within(soonMs, 'the server answers the upgrade', Promise.race([refused, accepted]));
  socket.terminate();
  return answer;
}

/** A session that polls, with a packet that waits for a poll. */
async function openSession(url: string): Promise<string> {
  const { body } = await ask(url, 'GET', '/socket.io/?EIO=4&transport=polling');
  const { sid } = JSON.parse(body.slice(1)) as { readonly sid: string };
  await ask(url, 'POST', `/socket.io/?EIO=4&transport=polling&sid=${sid}`, '40/x,');
  return sid;
}

const versions = [undefined, '', '3', '4', '5', 'abc'];
const transports = [undefined, '', 'polling', 'websocket', 'webtransport', '__proto__', 'constructor'];
const sids = [undefined, '', 'nobody', '__proto__', 'valid'];

const queries = versions.flatMap((EIO) =>
  transports.flatMap((transport) => sids.map((sid) => ({ EIO, transport, sid }))),
);

type Query = (typeof queries)[number];

async function targetOf(url: string, query: Query): Promise<string> {
  const fields = { ...query, sid: query.sid === 'valid' ? await openSession(url) : query.sid };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined) as [string, string][];
  return `/socket.io/?${new URLSearchParams(given).toString()}`;
}

/** A new session has another id each time. */
function normalise(answer: Answer): unknown {
  return { ...answer, body: answer.body.replace(/"sid":"[\w-]{20}"/, '"sid":""') };
}

it.each(['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'])(
  'a request with the method %s gets the answer of stock Socket.IO, whatever its query',
  async (method) => {
    const [{ url: ours }, stock] = [await startEngine(), await startStock()];
    for (const query of queries) {
      const expected = await ask(stock, method, await targetOf(stock, query));
      // Other methods than GET and POST get 405 in a session. Stock answers 500.
      const meant = expected.status === 500 ? { ...expected, status: 405 } : expected;
      const answer = await ask(ours, method, await targetOf(ours, query));
      expect([query, normalise(answer)]).toEqual([query, normalise(meant)]);
    }
  },
);

it('an upgrade gets the answer of stock Socket.IO, whatever its query', async () => {
  const [{ url: ours }, stock] = [await startEngine(), await startStock()];
  for (const query of queries) {
    const expected = await askUpgrade(stock, await targetOf(stock, query));
    expect([query, await askUpgrade(ours, await targetOf(ours, query))]).toEqual([query, expected]);
  }
});

it('a client of Engine.IO 3 over a WebSocket gets a closing frame with the reason', async () => {
  const refused: string[] = [];
  const { url } = await startEngine(echoApp({ refused: ({ message }) => refused.push(message) }));
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=3&transport=websocket`);
  const [code, reason] = (await within(soonMs, 'it is closed', once(socket, 'close'))) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([
    1002,
    expect.stringContaining('Socket.IO 3 or 4 client') as string,
  ]);
  expect(refused).toEqual([reason.toString()]);
});

it('the path is served with and without its last slash, under a prefix, and no other path is', async () => {
  const { url } = await startEngine(echoApp(), { path: '/app/socket.io/' });
  const query = '?EIO=4&transport=polling';
  const statuses = [
    '/app/socket.io',
    '/app/socket.io/',
    '/socket.io/',
    '/app/socket.io/x',
    '/app/socket.iox',
  ].map(async (path) => (await ask(url, 'GET', `${path}${query}`)).status);
  expect(await Promise.all(statuses)).toEqual([200, 200, 404, 404, 404]);
});

it('a request for JSONP is refused in words', async () => {
  const { url } = await startEngine();
  const { status, body } = await ask(url, 'GET', '/socket.io/?EIO=4&transport=polling&j=0');
  expect([status, body]).toEqual([403, expect.stringContaining('JSONP is not supported') as string]);
});

it('the app can refuse a new session, at once or later, and tells why', async () => {
  for (const admit of [() => 'full', async () => 'full']) {
    const { url } = await startEngine(echoApp({ admit }));
    const { status, body } = await ask(url, 'GET', '/socket.io/?EIO=4&transport=polling');
    expect([status, JSON.parse(body)]).toEqual([403, { code: 4, message: 'full' }]);
    expect(await askUpgrade(url, '/socket.io/?EIO=4&transport=websocket')).toBe('400 full');
  }
});

it('responses have the headers for web pages, and a preflight is answered', async () => {
  const cors = {
    headers: () => ({ 'access-control-allow-origin': 'http://a.example' }),
    preflight: ({ method }: IncomingMessage) =>
      method === 'OPTIONS' ? { 'access-control-allow-methods': 'GET, POST' } : undefined,
  };
  const { url } = await startEngine(echoApp({ cors }));
  const target = `${url}/socket.io/?EIO=4&transport=polling`;
  const [preflight, opened, refused] = [
    await fetch(target, { method: 'OPTIONS' }),
    await fetch(target),
    await fetch(`${target}&sid=nobody`),
  ];
  expect([preflight.status, opened.status, refused.status]).toEqual([204, 200, 400]);
  for (const { headers } of [preflight, opened, refused])
    expect(headers.get('access-control-allow-origin')).toBe('http://a.example');
  expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, POST');
});

it('a body that is too large gets 413, and the session continues', async () => {
  const { url } = await startEngine(echoApp(), { packetBytesMax: 1_000 });
  const sid = await openSession(url);
  const target = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
  await ask(url, 'POST', target, '40');
  expect((await ask(url, 'GET', target)).body).toContain('40{"sid"');
  expect((await ask(url, 'POST', target, `42["${'x'.repeat(2_000)}"]`)).status).toBe(413);
  expect(await ask(url, 'POST', target, '420["echo",1]')).toMatchObject({ status: 200, body: 'ok' });
  expect((await ask(url, 'GET', target)).body).toBe('430[1]');
});

it('a WebSocket whose TCP connection is cut ends its session at once', async () => {
  const { url, app, engine } = await startEngine();
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  await nextEvent(socket, 'open', 'the websocket opens');
  socket.send('40');
  await until('the client is connected', () => app.clients.size === 1);
  socket.terminate();
  await until('the app hears it', () => app.happened.includes('disconnected: transport close'));
  expect(engine.sessions).toBe(0);
});
