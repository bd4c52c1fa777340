import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attach } from '@fanfare/server';
import { Server } from 'socket.io';
import { expect, it, onTestFinished } from 'vitest';
import type { ConnectOptions, Envelope } from '@fanfare/client';
import { collect, startListening } from '../../../test/waits.ts';
import { becomes, client, take } from '../../client/test/harness.ts';

async function listen(http: HttpServer): Promise<string> {
  await startListening(http);
  onTestFinished(() => void http.close());
  return `http://localhost:${(http.address() as AddressInfo).port}`;
}

/** An app whose Socket.IO server has its own path. `seen` has the URL and a header of each request. */
async function appAt(path: string): Promise<{ url: string; seen: [string, unknown][] }> {
  const http = createServer((_request, response) => response.writeHead(404).end('no such page'));
  const io = new Server(http, { path });
  onTestFinished(() => void io.close());
  const rules = [{ match: '**', create: 'publish' }] as const;
  const fanfare = await attach(http, { io, http: 'topics', rules });
  onTestFinished(() => fanfare.stop());
  const seen: [string, unknown][] = [];
  for (const event of ['request', 'upgrade'] as const)
    http.prependListener(event, ({ url, headers }: IncomingMessage) => {
      seen.push([String(url), headers['x-tenant']]);
    });
  return { url: await listen(http), seen };
}

async function messagesOf(history: AsyncIterable<Envelope>): Promise<unknown[]> {
  return (await collect('the history ends', history)).map(({ message }) => message);
}

it.each<[string, ConnectOptions]>([
  ['websocket', { transports: ['websocket'] }],
  ['polling', { transports: ['polling'] }],
  ['all transports', {}],
])(
  "the SDK works with an app's Socket.IO server at its own path over %s, history included",
  async (_name, transports) => {
    const { url, seen } = await appAt('/realtime/');
    const extraHeaders = { 'x-tenant': 'acme' };
    const options = { path: '/realtime/', extraHeaders, query: { region: 'eu' }, ...transports };
    const fanfare = client(url, options);
    const subscription = fanfare.subscribe('orders/*');
    await subscription.ready;
    await fanfare.publish('orders/7', 'tea');
    expect(await take(subscription[Symbol.asyncIterator](), 1)).toEqual(['tea']);
    expect(await messagesOf(fanfare.history('orders/7'))).toEqual(['tea']);
    expect(options.transports).toEqual(transports.transports);
    expect(seen.length).toBeGreaterThan(1);
    for (const [request, tenant] of seen) {
      expect(request).toMatch(/^\/(?:realtime\/|messages)\?(?:.*&)?region=eu(?:&|$)/);
      expect(tenant).toBe('acme');
    }
    const wanted = transports.transports?.[0];
    if (typeof wanted === 'string')
      expect(seen.find(([request]) => request.startsWith('/realtime'))?.[0]).toContain(`transport=${wanted}`);
  },
);

it('the SDK overrides Socket.IO options that would end its connection', async () => {
  const { url } = await appAt('/realtime/');
  const never = { reconnection: false, reconnectionAttempts: 1, autoConnect: false, forceNew: false };
  expect(await becomes(client(url, { path: '/realtime/', ...never }), 'live')).toMatchObject({
    state: 'live',
  });
});

it("the SDK says what to configure when the app's server does not offer history", async () => {
  const http = createServer((_request, response) => response.writeHead(404).end('no such page'));
  const fanfare = await attach(http);
  onTestFinished(() => fanfare.stop());
  const history = client(await listen(http)).history('orders/7');
  await expect(messagesOf(history)).rejects.toThrow(/status 404.*attach\(httpServer, \{ http: 'topics' \}\)/);
});
