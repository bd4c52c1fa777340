import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import type { ConnectionPage } from '@fanfare/protocol';
import { resolveSettings, SettingsError, type AttachOptions } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, startListening, until, within } from '../../../../test/waits.ts';
import { attachNode } from '../../src/attach.ts';
import { SharedCluster } from '../../src/nodes/shared-cluster.ts';
import { createNode } from '../../src/server.ts';
import { connectClient, connectRaw, startServer, strictLogger } from '../harness.ts';
import { engineUrl, parseOpen, RawPolling, RawWebSocket } from '../hostile/wire.ts';
import { startNodes, StaticDirectory, type RunningNode } from './three-nodes.ts';

/** The answer of a node to a request of a session. */
async function ask(
  node: { readonly url: string },
  sid: string,
  options: RequestInit = {},
): Promise<{ readonly status: number; readonly text: string; readonly headers: Headers }> {
  const url = engineUrl(node.url, { EIO: '4', transport: 'polling', sid });
  const headers = { connection: 'close', ...(options.headers as Record<string, string> | undefined) };
  const response = await fetch(url, { ...options, headers });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const post = (body: string, headers: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: 'POST',
  body,
  headers,
});

/** The answer of a node to a request for a websocket. */
async function askUpgrade(node: { readonly url: string }, sid: string): Promise<string> {
  const { socket, ended } = connectRaw(node.url);
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket&sid=${sid} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n` +
      'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  return ended;
}

const sidAt = (nodeId: string): string => `${nodeId}AAAAAAAAAAAAAAA`;

const unknownSession = '{"code":1,"message":"Session ID unknown"}';

describe('a polling session whose requests go to several nodes', () => {
  it('each request of a session can go to another node', async () => {
    const {
      nodes: [first, second, third],
    } = await startNodes();
    const { opened } = await RawPolling.open(first.url);
    expect(opened.sid).toMatch(/^node1[\w-]{15}$/);
    expect(await ask(second, opened.sid, post('40'))).toMatchObject({ status: 200, text: 'ok' });
    expect((await ask(third, opened.sid)).text).toMatch(/^40\{"sid":"/);
    expect((await ask(second, opened.sid, post('420["subscribe",{"topic":"a"}]'))).status).toBe(200);
    expect((await ask(first, opened.sid)).text).toMatch(/^430\[\{"ok":true/);
    const poll = ask(second, opened.sid);
    await until('the message is published', () =>
      first.server.publish('a', 1).then(
        () => true,
        () => false,
      ),
    );
    expect((await poll).text).toBe('42["a",{"message":1}]');
    expect((await ask(third, opened.sid, post('1'))).status).toBe(200);
    expect(await ask(second, opened.sid)).toMatchObject({ status: 400, text: unknownSession });
  });

  it('the upgrade of a session can go to another node, and so can a poll meanwhile', async () => {
    const {
      nodes: [first, second, third],
    } = await startNodes();
    const { opened } = await RawPolling.open(first.url);
    await ask(second, opened.sid, post('40'));
    await ask(third, opened.sid);
    const webSocket = new RawWebSocket(second.url, { sid: opened.sid });
    const poll = ask(third, opened.sid);
    await webSocket.send('2probe');
    expect(await webSocket.next()).toBe('3probe');
    // A probe ends the poll that waits.
    expect((await poll).text).toBe('6');
    await webSocket.send('5', '420["subscribe",{"topic":"a"}]');
    expect(await webSocket.next()).toMatch(/^430\[\{"ok":true/);
    await first.server.publish('a', 'x'.repeat(500_000));
    expect(await webSocket.next()).toBe(`42["a",{"message":"${'x'.repeat(500_000)}"}]`);
    expect((await first.server.stats()).connections).toBe(1);
    webSocket.socket.close();
    await until('the session ends', async () => (await first.server.stats()).connections === 0);
  });

  it('a subscriber over a tunnelled websocket that stops reading loses nothing, and takes limited memory', async () => {
    const {
      nodes: [first, second],
    } = await startNodes({ outboxBytesMax: 100_000 });
    const { opened } = await RawPolling.open(first.url);
    await ask(second, opened.sid, post('40'));
    await ask(second, opened.sid);
    const webSocket = new RawWebSocket(second.url, { sid: opened.sid });
    await webSocket.send('2probe');
    expect(await webSocket.next()).toBe('3probe');
    await webSocket.send('5', '420["subscribe",{"topic":"many","envelope":true}]');
    expect(await webSocket.next()).toMatch(/^430\[\{"ok":true/);
    webSocket.socket.pause();
    const padding = 'x'.repeat(20_000);
    // More than all buffers between the node and the client take.
    for (let n = 0; n < 1_500; n++) await first.server.publish('many', [n, padding]);
    const { bytesWaiting, catchingUp } = await first.server.stats();
    expect(bytesWaiting).toBeLessThan(1_000_000);
    expect(catchingUp).toBe(1);
    webSocket.socket.resume();
    const got: number[] = [];
    const step = async (): Promise<void> => {
      const packet = await webSocket.next();
      const [, number] = /^42\["message",\{"topic":"many","message":\[(\d+),/.exec(packet) ?? [];
      if (number !== undefined) got.push(Number(number));
    };
    await until('all messages come', () => got.length === 1_500, { step, soFar: () => got.length });
    expect(got).toEqual([...Array(1_500).keys()]);
  });

  it.each(['node9', 'node2', 'node1'])(
    'a session that does not exist on node %s gets the usual answer from the second node',
    async (nodeId) => {
      const {
        nodes: [, second],
      } = await startNodes();
      const answers = [await ask(second, sidAt(nodeId)), await ask(second, sidAt(nodeId), post('40'))];
      for (const { status, text, headers } of answers) {
        expect([status, text]).toEqual([400, unknownSession]);
        expect(headers.get('content-type')).toBe('application/json');
        expect([headers.get('vary'), headers.get('cross-origin-resource-policy')]).toEqual([
          'Origin',
          'same-origin',
        ]);
      }
      expect(await askUpgrade(second, sidAt(nodeId))).toMatch(
        /^HTTP\/1\.1 400 Bad Request\r\n.*\r\n\r\nSession ID unknown$/s,
      );
    },
  );

  it("requests get 503 in Engine.IO's form if the node of their session does not respond", async () => {
    const silent = createTcpServer((socket) => void socket.on('error', () => {}).resume());
    const port = await startListening(silent);
    onTestFinished(() => void silent.close());
    const logger = { warn: () => {}, error: strictLogger.error };
    const {
      nodes: [first],
      directory,
    } = await startNodes({ logger });
    directory.addresses.set('node9', `127.0.0.1:${port}`);
    const answers = Promise.all([ask(first, sidAt('node9')), ask(first, sidAt('node9'), post('40'))]);
    const upgrade = askUpgrade(first, sidAt('node9'));
    for (const { status, text, headers } of await within(5_000, 'the polls are answered', answers)) {
      expect([status, JSON.parse(text)]).toEqual([
        503,
        { code: 1, message: 'The node of this session does not respond.' },
      ]);
      expect(headers.get('vary')).toBe('Origin');
    }
    expect(await within(5_000, 'the upgrade is answered', upgrade)).toMatch(
      /^HTTP\/1\.1 503 Service Unavailable\r\n.*\r\n\r\nThe node of this session does not respond\.$/s,
    );
  });

  it('a node passes no request on that it would refuse itself', async () => {
    const {
      nodes: [first, second],
    } = await startNodes();
    const { opened } = await RawPolling.open(first.url);
    const { status, text } = await ask(second, opened.sid, { headers: { origin: 'https://evil.example' } });
    expect([status, JSON.parse(text)]).toMatchObject([403, { code: 4 }]);
    const raw = connectRaw(second.url);
    raw.socket.write(
      `GET /socket.io/?EIO=4&transport=polling&sid=${opened.sid} HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n`,
    );
    expect(await raw.ended).toMatch(/^HTTP\/1\.1 400 .*only one `Host`/s);
    expect((await ask(first, opened.sid, post('40'))).status).toBe(200);
  });

  it('pages of named origins can read the answers that come from another node', async () => {
    const origin = 'https://app.example';
    const {
      nodes: [first, second],
    } = await startNodes({ origins: origin });
    const { opened } = await RawPolling.open(first.url);
    const { status, headers } = await ask(second, opened.sid, post('40', { origin }));
    expect([status, headers.get('access-control-allow-origin')]).toEqual([200, origin]);
    expect(headers.get('access-control-allow-credentials')).toBe('true');
  });

  it('a packet that is too large gets the same answer from another node', async () => {
    const {
      nodes: [first, second],
    } = await startNodes({ publishBytesMax: 1_000 });
    const large = 'x'.repeat(200_000);
    const direct = await RawPolling.open(first.url);
    const other = await RawPolling.open(first.url);
    const [expected, actual] = [
      await ask(first, direct.opened.sid, post(large)),
      await ask(second, other.opened.sid, post(large)),
    ];
    expect([actual.status, actual.text]).toEqual([expected.status, expected.text]);
    expect(expected.status).toBe(413);
  });
});

describe('the limits of several nodes', () => {
  const from = (address: string): { 'x-forwarded-for': string } => ({ 'x-forwarded-for': address });

  async function handshake({ url }: RunningNode, address: string): Promise<number | string> {
    const target = engineUrl(url, { EIO: '4', transport: 'polling' });
    const response = await fetch(target, { headers: { connection: 'close', ...from(address) } });
    const text = await response.text();
    return response.status === 200 ? parseOpen(text).sid : response.status;
  }

  it('a session counts for the address of its client on its own node only, wherever its requests go', async () => {
    const {
      nodes: [first, second, third],
    } = await startNodes({ connectionsPerAddressMax: 1 });
    const address = '203.0.113.7';
    const sid = String(await handshake(first, address));
    await ask(second, sid, post('40', from(address)));
    await ask(third, sid, { headers: from(address) });
    const page = (await (await fetch(`${first.url}/connections`)).json()) as ConnectionPage;
    expect(page.connections).toMatchObject([{ address, transport: 'polling' }]);
    expect(await handshake(first, address)).toBe(403);
    expect(await handshake(first, '203.0.113.8')).toMatch(/^node1/);
    expect(await handshake(second, address)).toMatch(/^node2/);
    await ask(second, sid, post('1', from(address)));
    expect(await handshake(first, address)).toMatch(/^node1/);
  });

  it('connections between nodes do not count as connections of clients', async () => {
    const {
      nodes: [first, second],
    } = await startNodes({ connectionsMax: 2 });
    const { opened } = await RawPolling.open(first.url);
    await ask(second, opened.sid, post('40'));
    const packets: string[] = [];
    for (let n = 0; n < 5; n++) {
      await ask(second, opened.sid, post(`42${n}["subscribe",{"topic":"a"}]`));
      packets.push((await ask(second, opened.sid)).text);
    }
    expect(packets.join('')).toContain('434[{"ok":true');
  });
});

describe('a node that stops', () => {
  it('a node that stops sends its polling clients the rest of their messages through other nodes', async () => {
    const {
      nodes: [first, second],
    } = await startNodes({ logger: { warn: () => {}, error: strictLogger.error } });
    const { opened } = await RawPolling.open(first.url);
    await ask(second, opened.sid, post('40'));
    await ask(second, opened.sid);
    await ask(second, opened.sid, post('420["subscribe",{"topic":"a"}]'));
    await ask(second, opened.sid);
    for (let n = 0; n < 50; n++) await first.server.publish('a', n);
    const stopped = first.server.stop();
    const texts: string[] = [];
    await until('the session ends', async () => {
      const { status, text } = await ask(second, opened.sid);
      texts.push(text);
      return status !== 200;
    });
    await stopped;
    for (let n = 0; n < 50; n++) expect(texts.join('\u001e')).toContain(`42["a",{"message":${n}}]`);
  });

  it('a node stops in time while it passes polls and websockets on, and their clients notice it', async () => {
    const {
      nodes: [first, second],
    } = await startNodes({ logger: { warn: () => {}, error: strictLogger.error } });
    const polling = await RawPolling.open(first.url);
    await ask(second, polling.opened.sid, post('40'));
    await ask(second, polling.opened.sid);
    const poll = ask(second, polling.opened.sid);
    const client = await RawPolling.open(first.url);
    const webSocket = new RawWebSocket(second.url, { sid: client.opened.sid });
    await webSocket.send('2probe');
    expect(await webSocket.next()).toBe('3probe');
    const closed = nextEvent(webSocket.socket, 'close', 'the tunnel ends');
    await within(soonMs, 'the node stops', second.server.stop());
    await closed;
    expect((await poll).status).toBe(503);
  });
});

it('a session of a node that has just started can be used through another node at once', async () => {
  const key = randomBytes(32);
  const addresses = new Map<string, string>();
  const start = async (nodeId: string): Promise<{ readonly url: string }> => {
    const transport = {
      beat: async (address: string) => new Map(addresses.set(nodeId, address)),
      send: async () => {},
      leave: async () => void addresses.delete(nodeId),
    };
    const cluster = new SharedCluster({ nodeId, transport, logger: strictLogger });
    const server = createNode(
      { port: 0, logger: strictLogger },
      {
        nodeId,
        key,
        usesTls: false,
        announce: (address) => cluster.announce(address),
        addressOf: (other) => cluster.addressOf(other),
      },
    );
    const url = await server.start();
    onTestFinished(async () => {
      await server.stop();
      await cluster.close();
    });
    return { url };
  };
  const first = await start('node1');
  const later = await start('node2');
  const { opened } = await RawPolling.open(later.url);
  // Standard clients post and poll at the same time.
  const [posted, polled] = await Promise.all([ask(first, opened.sid, post('40')), ask(first, opened.sid)]);
  expect([posted.text, polled.text]).toEqual(['ok', expect.stringMatching(/^40\{"sid":"/)]);
});

describe('a single server', () => {
  it('the session ids of a single server name no node', async () => {
    const { url } = await startServer();
    const sids = [await RawPolling.open(url), await RawPolling.open(url)].map(({ opened }) => opened.sid);
    for (const sid of sids) expect(sid).toMatch(/^[\w-]{20}$/);
    expect(new Set(sids.map((sid) => sid.slice(0, 5))).size).toBe(2);
  });
});

describe("several nodes on apps' HTTP servers", () => {
  async function startApp(
    id: string,
    directory: StaticDirectory,
    options: AttachOptions = {},
  ): Promise<{ url: string; http: HttpServer; stop: () => Promise<void> }> {
    const http = createHttpServer((request, response) => response.end(`the app at ${request.url}`));
    const fanfare = await attachNode(http, { logger: strictLogger, ...options }, directory.viewOf(id));
    await startListening(http);
    onTestFinished(async () => {
      await fanfare.stop();
      http.closeAllConnections();
      http.close();
    });
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    return { url, http, stop: () => fanfare.stop() };
  }

  it('a session on an app can be used through another app, and the apps keep their own requests', async () => {
    const directory = new StaticDirectory();
    const [first, second] = [await startApp('node1', directory), await startApp('node2', directory)];
    const { opened } = await RawPolling.open(first.url);
    expect((await ask(second, opened.sid, post('40'))).text).toBe('ok');
    expect((await ask(second, opened.sid)).text).toMatch(/^40\{"sid":"/);
    const webSocket = new RawWebSocket(second.url, { sid: opened.sid });
    await webSocket.send('2probe');
    expect(await webSocket.next()).toBe('3probe');
    expect(await (await fetch(`${second.url}/x`)).text()).toBe('the app at /x');
    await connectClient(second.url, 'upgrade');
  });

  it('after stop(), the HTTP server of an app has its own listeners again', async () => {
    const { http, stop } = await startApp('node1', new StaticDirectory());
    await stop();
    expect([http.listenerCount('upgrade'), http.listenerCount('request')]).toEqual([0, 1]);
  });
});

describe('the setting `advertise`', () => {
  it.each(['10.0.0.5:7000', '[2001:db8::5]:7000', 'node-1.example:7000'])('%j is an address', (advertise) => {
    const content = { advertise, memory: true };
    expect(resolveSettings({ flags: {}, env: {}, file: { path: 'x', content } }).advertise).toBe(advertise);
  });

  it.each(['10.0.0.5', '10.0.0.5:0', '10.0.0.5:70000', ':7000', 'http://a:7000', '2001:db8::5:7000', 7000])(
    'a server with a wrong `advertise` does not start: %j',
    async (advertise) => {
      await expect(startServer({ advertise } as object)).rejects.toThrow(SettingsError);
    },
  );

  it('without `advertise`, other nodes reach a node of this machine at a free port of the loopback address', async () => {
    const { directory } = await startNodes();
    for (const address of directory.addresses.values()) expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(new Set(directory.addresses.values()).size).toBe(3);
  });

  it('with `advertise`, other nodes reach a node at this address', async () => {
    const free = createTcpServer();
    const port = await startListening(free);
    await new Promise((resolve) => free.close(resolve));
    const directory = new StaticDirectory();
    const http = createHttpServer();
    const advertise = `127.0.0.1:${port}`;
    const fanfare = await attachNode(http, { advertise, logger: strictLogger }, directory.viewOf('node1'));
    expect(directory.addresses.get('node1')).toBe(advertise);
    await fanfare.stop();
  });
});
