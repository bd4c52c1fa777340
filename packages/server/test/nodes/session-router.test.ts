import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, sleep, soonMs, startListening, until, within } from '../../../../test/waits.ts';
import { tcpAddressesOf } from '../../src/access/tcp-addresses.ts';
import { NodePort } from '../../src/nodes/node-port.ts';
import { newSessionId, nodeOfSession } from '../../src/nodes/session-ids.ts';
import { connectRaw } from '../harness.ts';
import { sid, startPair as startPairOf, type Pair, type PairOptions } from './pair.ts';
import type { PassedOnRequests } from '../../src/nodes/node-port.ts';

const megabyte = 1_048_576;

/** What a response is after everything that clients can send in it. */
const shown = async (response: Response): Promise<object> => ({
  status: response.status,
  type: response.headers.get('content-type'),
  text: await response.text(),
});

describe('the id of a session', () => {
  it('the id of a session has 20 URL-safe characters, and the first five name its node', () => {
    const ids = Array.from({ length: 1_000 }, () => newSessionId('ab-_9'));
    for (const id of ids) expect(id).toMatch(/^ab-_9[\w-]{15}$/);
    expect(new Set(ids).size).toBe(1_000);
  });

  it.each([
    [`/socket.io/?EIO=4&transport=polling&sid=${sid}`, 'other'],
    [`/socket.io/?sid=${sid}&EIO=4`, 'other'],
    ['/socket.io/?EIO=4&transport=polling', undefined],
    ['/socket.io/?sid=', undefined],
    [`/socket.io/?sid=${sid}A`, undefined],
    [`/socket.io/?sid=${sid.slice(1)}`, undefined],
    [`/socket.io/?notsid=${sid}`, undefined],
    ['/socket.io/?sid=oth%65rAAAAAAAAAAAAAAA', undefined],
  ])('the session of the target %j is on the node %j', (target, node) => {
    expect(nodeOfSession(target)).toBe(node);
  });
});

describe.each([
  ['without TLS', false],
  ['with TLS', true],
])('between nodes %s', (_how, usesTls) => {
  const startPair = (serve: Partial<PassedOnRequests>, options: PairOptions = {}): Promise<Pair> =>
    startPairOf(serve, { usesTls, ...options });

  describe('a request that is passed on', () => {
    it('a request is passed on with its method, target, headers and body, and the response comes back', async () => {
      const { url } = await startPair({
        request: (request, response) => {
          const body: Buffer[] = [];
          request.on('data', (piece: Buffer) => body.push(piece));
          request.on('end', () => {
            const { method, headers } = request;
            response.setHeader('set-cookie', ['a=1', 'b=2']);
            response.writeHead(201, 'Made', { 'content-type': 'text/x' });
            response.end(
              `${method} ${request.url} ${String(headers['x-a'])} ${Buffer.concat(body).toString()}`,
            );
          });
        },
      });
      const target = `${url}/socket.io/?sid=${sid}`;
      const response = await fetch(target, { method: 'POST', headers: { 'x-a': 'ü' }, body: 'hello' });
      expect(response.statusText).toBe('Made');
      expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
      expect(await shown(response)).toEqual({
        status: 201,
        type: 'text/x',
        text: `POST /socket.io/?sid=${sid} ü hello`,
      });
    });

    it('the other node sees the addresses of the connection that the client sent the request on', async () => {
      const { url, nodePort } = await startPair({
        request: (request, response) => {
          const { remoteAddress, localAddress } = tcpAddressesOf(request);
          const isOther = request.socket.localPort === nodePort;
          response.end(JSON.stringify({ remoteAddress, localAddress, isOther }));
        },
      });
      const headers = { 'fanfare-addresses': '203.0.113.7 10.0.0.1' };
      expect(await (await fetch(url, { headers })).json()).toEqual({
        remoteAddress: '127.0.0.1',
        localAddress: '127.0.0.1',
        isOther: true,
      });
    });

    it('requests one after the other use one connection between the nodes', async () => {
      const ports = new Set<number | undefined>();
      const { url } = await startPair({
        request: (request, response) => {
          ports.add(request.socket.remotePort);
          response.end('ok');
        },
      });
      for (let n = 0; n < 10; n++) expect(await (await fetch(url)).text()).toBe('ok');
      expect(ports.size).toBe(1);
    });

    it('a client that does not read the response holds the other node up, and takes only limited memory', async () => {
      let response: ServerResponse | undefined;
      const { url } = await startPair({ request: (_request, its) => void (response = its) });
      const { socket } = connectRaw(url);
      socket.pause().write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await until('the request comes to the other node', () => response !== undefined);
      const written = await writeUntilBlocked(response as ServerResponse);
      expect(written).toBeLessThan(32);
      socket.resume();
      await nextEvent(response as ServerResponse, 'drain', 'the rest of the response is read');
    });

    it('a node that does not read a body holds the client up, and takes only limited memory', async () => {
      let request: IncomingMessage | undefined;
      const { url } = await startPair({ request: (its) => void (request = its) });
      const outgoing = httpRequest(url, { method: 'POST', agent: false });
      outgoing.on('error', () => {});
      onTestFinished(() => void outgoing.destroy());
      outgoing.write('first');
      await until('the request comes to the other node', () => request !== undefined);
      expect(await writeUntilBlocked(outgoing)).toBeLessThan(32);
      request?.resume();
      await nextEvent(outgoing, 'drain', 'the rest of the body is read');
    });

    it('the other node learns that the client has gone', async () => {
      let response: ServerResponse | undefined;
      const { url, routings } = await startPair({ request: (_request, its) => void (response = its) });
      const { socket } = connectRaw(url);
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await until('the request comes to the other node', () => response !== undefined);
      const gone = nextEvent(
        response as ServerResponse,
        'close',
        'the other node sees the end of the connection',
      );
      socket.destroy();
      await gone;
      await until('the request is finished', () => routings.length > 0);
      expect(routings).toEqual(['passed_on']);
    });

    it('a response that the other node has begun and not ended is cut for the client', async () => {
      const { url } = await startPair({
        request: (request, response) => {
          response.writeHead(200, { 'content-length': 10 });
          response.write('12345', () => request.socket.destroy());
        },
      });
      await expect(fetch(url).then((response) => response.text())).rejects.toThrow();
    });

    it('a request gets an answer if the other node closes the connection without a response', async () => {
      const { url, warnings } = await startPair({ request: (request) => void request.socket.destroy() });
      expect(await shown(await fetch(url, { method: 'POST', body: 'x'.repeat(megabyte) }))).toMatchObject({
        status: 503,
        text: 'unavailable',
      });
      expect(warnings).toEqual(['Cannot pass requests on to another node.']);
    });

    it('a request beyond the limit gets an answer at once, and the others go on', async () => {
      const waiting: ServerResponse[] = [];
      const { url } = await startPair(
        { request: (_request, response) => void waiting.push(response) },
        { passedOnMax: 2 },
      );
      const polls = [fetch(url), fetch(url)];
      await until('two requests come to the other node', () => waiting.length === 2);
      expect((await fetch(url)).status).toBe(503);
      for (const response of waiting) response.end('packets');
      for (const poll of polls) expect(await (await poll).text()).toBe('packets');
      const again = fetch(url);
      await until('a further request comes to the other node', () => waiting.length === 3);
      waiting[2]?.end('packets');
      expect((await again).status).toBe(200);
    });
  });

  describe('a node that does not answer', () => {
    it.each([
      ['has gone', async () => undefined, 'unknown'],
      ['has an address at which nobody listens', async () => '127.0.0.1:1', 'unavailable'],
      ['has an address that is none', async () => 'localhost', 'unknown'],
      ['is unknown because the directory fails', () => Promise.reject(new Error('away')), 'unavailable'],
      ['is unknown because the directory hangs', () => new Promise<never>(() => {}), 'unavailable'],
    ])('requests and upgrades get an answer if the node %s', async (_what, addressOf, routing) => {
      const { url, routings } = await startPair({}, { addressOf });
      expect(await (await fetch(url)).text()).toBe(routing);
      const { socket, ended } = connectRaw(url);
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      expect(await ended).toBe(`HTTP/1.1 503 ${routing}\r\n\r\n`);
      expect(routings).toEqual([routing, routing]);
    });

    it('requests and upgrades get an answer if the node accepts connections and is silent', async () => {
      const silent = createTcpServer((socket) => void socket.on('error', () => {}).resume());
      const port = await startListening(silent);
      onTestFinished(() => void silent.close());
      const { url } = await startPair({}, { addressOf: async () => `127.0.0.1:${port}` });
      const { socket, ended } = connectRaw(url);
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      expect(await (await fetch(url)).text()).toBe('unavailable');
      expect(await ended).toBe('HTTP/1.1 503 unavailable\r\n\r\n');
    });

    it('a request gets an answer if the node has accepted it and is silent', async () => {
      const { url } = await startPair({ request: () => {} }, { silenceMs: 500 });
      expect(await (await fetch(url)).text()).toBe('unavailable');
      const late = fetch(url, { method: 'POST', body: 'x'.repeat(megabyte) });
      expect(await (await late).text()).toBe('unavailable');
    });

    it('a response and a tunnel are cut if the node becomes silent', async () => {
      const { url } = await startPair(
        {
          request: (_request, response) =>
            void response.writeHead(200, { 'content-length': 10 }).write('12345'),
          upgrade: (_request, socket) =>
            void socket
              .on('error', () => {})
              .resume()
              .write('HTTP/1.1 101 A\r\n\r\n'),
        },
        { silenceMs: 500 },
      );
      await expect(fetch(url).then((response) => response.text())).rejects.toThrow();
      const { socket, ended } = connectRaw(url);
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      expect(await ended).toBe('HTTP/1.1 101 A\r\n\r\n');
    });

    it('a client that reads slowly is not cut because the connection between the nodes is silent', async () => {
      const { url } = await startPair(
        { request: (_request, response) => void response.end(Buffer.alloc(32 * megabyte)) },
        { silenceMs: 2_000 },
      );
      const { socket } = connectRaw(url);
      let bytes = 0;
      socket.on('data', (text: string) => (bytes += text.length));
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await nextEvent(socket, 'data', 'the response begins');
      socket.pause();
      // The time of silence has to pass.
      await sleep(4_000);
      expect(bytes).toBeLessThan(16 * megabyte);
      socket.resume();
      await until('the whole response comes', () => bytes > 32 * megabyte, { soFar: () => bytes });
    });

    it('every request that is passed on comes to an end, however clients and nodes leave', async () => {
      const random = (below: number): number => Math.floor(Math.random() * below);
      const later = (work: () => unknown): void => void setTimeout(work, random(20));
      const leave = (socket: Duplex): void => later(() => socket.destroy());
      const { url, routings, started } = await startPair(
        {
          request: (request, response) => {
            const choice = random(6);
            if (choice > 0) request.resume();
            if (choice < 3) leave(request.socket);
            const write = (): unknown =>
              response.writableEnded || response.write('x'.repeat(random(300_000)));
            if (choice > 1) later(write);
            if (choice > 2) later(() => response.end('end'));
          },
          upgrade: (_request, socket) => {
            socket.on('error', () => {});
            later(() => socket.write('HTTP/1.1 101 A\r\n\r\n'));
            leave(socket);
          },
        },
        { silenceMs: 2_000 },
      );
      const heads = [
        'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n${'x'.repeat(400_000)}`,
        'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\nx',
      ];
      for (let n = 0; n < 400; n++) {
        const { socket } = connectRaw(url);
        socket.write(heads[random(heads.length)] ?? '');
        if (random(3) === 0) socket.pause();
        leave(socket);
        if (n % 20 === 0) await nextEvent(socket, 'close', 'a client has left');
      }
      const isOver = (): boolean => started() > 100 && routings.length === started();
      await until('all requests are over', isOver, { soFar: () => [started(), routings.length] });
      expect(routings).toHaveLength(started());
    });

    it('a client that leaves while the node is looked up is forgotten', async () => {
      let found = (_address: string): void => {};
      let requests = 0;
      const addressOf = (): Promise<string> => new Promise((resolve) => (found = resolve));
      const { url, routings, nodePort } = await startPair({ request: () => requests++ }, { addressOf });
      const { socket, ended } = connectRaw(url);
      const unused = found;
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await until('the node is looked up', () => found !== unused);
      socket.destroy();
      await ended;
      // The server has to see the end of the connection.
      await sleep(200);
      found(`127.0.0.1:${nodePort}`);
      await until('the request is finished', () => routings.length > 0);
      expect([routings, requests]).toEqual([['passed_on'], 0]);
    });

    it('requests are not passed on to another node that has taken the address', async () => {
      const { url, port, nodePort } = await startPair({});
      await port.close();

      const later = new NodePort({ key: Buffer.alloc(32), listenerId: 'third', connectionsMax: 10 });
      later.serve({ isOurs: () => true, request: (_request, response) => response.end(), upgrade: () => {} });
      await later.listen('127.0.0.1', nodePort);
      onTestFinished(() => later.close());
      expect(await (await fetch(url)).text()).toBe('unavailable');
    });
  });

  describe('a tunnel', () => {
    const offer =
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: \xfc\r\n\r\n';

    /** Opens a tunnel. @returns both ends */
    async function openTunnel(): Promise<{ client: Socket; node: Socket; request: IncomingMessage }> {
      let taken: { readonly request: IncomingMessage; readonly socket: Duplex; head: Buffer } | undefined;
      const { url } = await startPair({
        upgrade: (request, socket, head) => {
          taken = { request, socket, head };
          socket.on('error', () => {});
          socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
        },
      });
      const client = connect(Number(new URL(url).port), '127.0.0.1');
      onTestFinished(() => void client.destroy());
      client.on('error', () => {});
      client.write(Buffer.from(`${offer}early`, 'latin1'));
      expect(await readText(client, 36)).toBe('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      if (!taken) throw new Error('no upgrade has come');
      const { request, socket, head } = taken;
      if (head.length > 0) socket.unshift(head);
      expect(await readText(socket, 5)).toBe('early');
      return { client, node: socket as Socket, request };
    }

    it('an upgrade is passed on with its headers, and all bytes follow in both directions', async () => {
      const { client, node, request } = await openTunnel();
      expect([request.url, request.headers['x-a']]).toEqual(['/x', 'ü']);
      expect(tcpAddressesOf(request)).toEqual({ remoteAddress: '127.0.0.1', localAddress: '127.0.0.1' });
      client.write('to the node');
      expect(await readText(node, 11)).toBe('to the node');
      node.write('to the client');
      expect(await readText(client, 13)).toBe('to the client');
    });

    it.each(['client', 'node'] as const)(
      'the end of the %s ends the tunnel, after the last bytes',
      async (end) => {
        const both = await openTunnel();
        const other = both[end === 'client' ? 'node' : 'client'];
        const closed = nextEvent(other, 'close', 'the tunnel closes');
        both[end].end('last');
        expect(await readText(other, 4)).toBe('last');
        other.resume().end();
        await closed;
      },
    );

    it.each(['client', 'node'] as const)('if the %s does not read, the other end is held up', async (end) => {
      const both = await openTunnel();
      const other = both[end === 'client' ? 'node' : 'client'];
      both[end].pause();
      expect(await writeUntilBlocked(other)).toBeLessThan(32);
      both[end].resume();
      await nextEvent(other, 'drain', 'everything is read');
    });

    it('when the node stops, its tunnels end', async () => {
      let socket: Duplex | undefined;
      const { url, router } = await startPair({ upgrade: (_request, its) => void (socket = its.resume()) });
      const { socket: client, ended } = connectRaw(url);
      client.write(offer);
      await until('the upgrade comes to the other node', () => socket !== undefined);
      router.close();
      expect(await ended).toBe('HTTP/1.1 503 unavailable\r\n\r\n');
    });
  });
});

/** Writes up to 64 MiB. @returns how many were written when the other side took no more for a while */
async function writeUntilBlocked(writable: WritableSide): Promise<number> {
  const chunk = Buffer.alloc(megabyte);
  let written = 0;
  let isBlocked = false;
  const step = async (): Promise<void> => {
    written++;
    if (writable.write(chunk)) return;
    const drained = nextEvent(writable, 'drain', 'the other side takes more').then(() => false);
    // No event says that the other side takes no more.
    isBlocked = await Promise.race([drained, sleep(300).then(() => true)]);
  };
  await until('the other side takes no more', () => isBlocked || written === 64, { step });
  return written;
}

interface WritableSide {
  write(chunk: Buffer): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

async function readText(readable: NodeJS.ReadableStream, bytes: number): Promise<string> {
  const read = (): Promise<Buffer> =>
    new Promise((resolve) => {
      const onReadable = (): void => {
        const found = (readable as Duplex).read(bytes) as Buffer | null;
        if (found === null) return;
        readable.off('readable', onReadable);
        resolve(found);
      };
      readable.on('readable', onReadable);
      onReadable();
    });
  return (await within(soonMs, `${bytes} bytes come`, read)).toString('latin1');
}
