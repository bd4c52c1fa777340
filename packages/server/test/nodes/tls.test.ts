import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, startListening, within } from '../../../../test/waits.ts';
import { connectToNode } from '../../src/nodes/node-handshake.ts';
import { connectClient, connectRaw } from '../harness.ts';
import { selfSigned } from '../self-signed.ts';
import { startPair } from './pair.ts';
import { dial, passedOn, startPort, startRecorder, type Recorder } from './stranger.ts';
import { startBalancer, startNodes, StaticDirectory } from './three-nodes.ts';

const otherKey = 'Another program listens at the address of the node, or the node has another key.';

/** The first byte of TLS. */
const handshakeRecord = 0x16;

const inRequest = ['token-of-a-client', 'body-of-a-request', 'frame-of-a-client'];
const inResponse = ['header-of-a-response', 'body-of-a-response', 'frame-of-a-node'];

/** Passes a request and a websocket on through a recorder. */
async function record(usesTls: boolean): Promise<Recorder> {
  let address = '';
  const { url, nodePort } = await startPair(
    {
      request: (request, response) => {
        request.resume().on('end', () => {
          response.setHeader('x-secret', 'header-of-a-response');
          response.end('body-of-a-response');
        });
      },
      upgrade: (_request, socket: Duplex) => {
        socket.on('error', () => {}).on('data', () => socket.end('frame-of-a-node'));
        socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      },
    },
    { usesTls, addressOf: async () => address },
  );
  const recorder = await startRecorder(nodePort);
  address = `127.0.0.1:${recorder.port}`;
  const headers = { authorization: 'Bearer token-of-a-client' };
  const response = await fetch(url, { method: 'POST', headers, body: 'body-of-a-request' });
  expect([response.headers.get('x-secret'), await response.text()]).toEqual(inResponse.slice(0, 2));
  const { socket, ended } = connectRaw(url);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await nextEvent(socket, 'data', 'the upgrade is accepted');
  socket.write('frame-of-a-client');
  expect(await within(soonMs, 'the websocket ends', ended)).toContain('frame-of-a-node');
  return recorder;
}

describe('TLS between nodes', () => {
  it('a listener on the network sees nothing of requests, responses and websockets between nodes with TLS', async () => {
    const { sent, returned } = await record(true);
    expect(sent()[0]).toBe(handshakeRecord);
    expect(sent().length).toBeGreaterThan(500);
    for (const secret of inRequest) expect(sent().includes(secret)).toBe(false);
    for (const secret of inResponse) expect(returned().includes(secret)).toBe(false);
    for (const header of ['HTTP/1.1', 'fanfare-addresses'])
      expect([sent().includes(header), returned().includes(header)]).toEqual([false, false]);
  });

  it('without TLS, a listener on the network sees all of it', async () => {
    const { sent, returned } = await record(false);
    for (const secret of inRequest) expect(sent().includes(secret)).toBe(true);
    for (const secret of inResponse) expect(returned().includes(secret)).toBe(true);
  });

  it('the connections between nodes have forward secrecy: a later leak of the key does not decrypt them', async () => {
    const { port, key } = await startPort();
    const node = await connectToNode(
      { host: '127.0.0.1', port },
      { key, listenerId: 'other', usesTls: true },
    );
    onTestFinished(() => void node.destroy());
    expect((node as TLSSocket).getEphemeralKeyInfo()).toMatchObject({ type: 'ECDH' });
    expect((node as TLSSocket).getCipher().name).toBe('ECDHE-PSK-CHACHA20-POLY1305');
  });

  it('nodes with TLS and nodes without reach each other, as while they are restarted one after the other', async () => {
    const { nodes } = await startNodes({}, new StaticDirectory((nodeId) => nodeId !== 'node1'));
    const url = await startBalancer(nodes);
    for (let n = 0; n < 6; n++) {
      const client = await connectClient(url, 'polling');
      const losses: string[] = [];
      client.on('disconnect', (reason) => losses.push(reason));
      for (let m = 0; m < 10; m++)
        expect(await client.emitWithAck('subscribe', { topic: `topic ${m}` })).toMatchObject({ ok: true });
      expect(losses).toEqual([]);
    }
  });
});

describe('a stranger at the port for nodes, with TLS', () => {
  it('a node with another key is refused, no request of it is served, and its log says why', async () => {
    const served: string[] = [];
    const { url, warnings, reasons } = await startPair(
      { request: ({ url: target = '' }) => void served.push(target) },
      { usesTls: true, callerKey: randomBytes(32) },
    );
    expect(await (await fetch(url)).text()).toBe('unavailable');
    expect(served).toEqual([]);
    expect([warnings, reasons]).toEqual([['Cannot pass requests on to another node.'], [otherKey]]);
  });

  it('a node that has taken the address of another one is refused, although it has the key', async () => {
    const { port, key, served } = await startPort();
    const wrong = { key, listenerId: 'third', usesTls: true };
    await expect(connectToNode({ host: '127.0.0.1', port }, wrong)).rejects.toThrow(otherKey);
    expect(served).toEqual([]);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a stranger with %s and without a key is refused',
    async (version) => {
      const { port, served } = await startPort();
      const limits = { minVersion: version, maxVersion: version, rejectUnauthorized: false } as const;
      const stranger = connectTls({ host: '127.0.0.1', port, ...limits });
      onTestFinished(() => void stranger.destroy());
      stranger.on('secureConnect', () => served.push('a handshake without a key'));
      const error = await nextEvent<Error>(stranger, 'error', 'the port refuses the handshake');
      expect(error.message).toMatch(/handshake failure|protocol version/);
      expect(served).toEqual([]);
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a node does not call a server with %s and a certificate',
    async (version) => {
      const pem = await selfSigned();
      const server = createTlsServer({ key: pem, cert: pem, minVersion: version, maxVersion: version });
      server.on('tlsClientError', () => {});
      const port = await startListening(server);
      onTestFinished(() => void server.close());
      const parts = { key: randomBytes(32), listenerId: 'other', usesTls: true };
      await expect(connectToNode({ host: '127.0.0.1', port }, parts)).rejects.toThrow(otherKey);
    },
  );

  it('a node with TLS does not fall back to a connection without it', async () => {
    const firstBytes: (number | undefined)[] = [];
    const meddler = createServer((socket) => {
      socket
        .on('error', () => {})
        .once('data', (data: Buffer) => {
          firstBytes.push(data[0]);
          socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
        });
    });
    const port = await startListening(meddler);
    onTestFinished(() => void meddler.close());
    const { url, reasons } = await startPair(
      {},
      { usesTls: true, addressOf: async () => `127.0.0.1:${port}` },
    );
    expect(await (await fetch(url)).text()).toBe('unavailable');
    expect([firstBytes, reasons]).toEqual([[handshakeRecord], [otherKey]]);
  });

  it('a recorded connection with TLS cannot be replayed', async () => {
    const { port, key, served } = await startPort();
    const recorder = await startRecorder(port);
    const parts = { key, listenerId: 'other', usesTls: true };
    const node = await connectToNode({ host: '127.0.0.1', port: recorder.port }, parts);
    node.write(passedOn);
    expect(String(await nextEvent(node, 'data', 'the request is served'))).toMatch(/^HTTP\/1\.1 200/);
    node.destroy();
    expect(served).toEqual(['/socket.io/?sid=x']);
    const { socket: replayed, closed } = dial(port);
    replayed.write(recorder.sent());
    await closed;
    expect(served).toEqual(['/socket.io/?sid=x']);
  });

  it('strangers that are silent in the handshake of TLS are disconnected, and do not keep a node out', async () => {
    const { port, key, url } = await startPort({ usesTls: true });
    const recorder = await startRecorder(port);
    const parts = { key, listenerId: 'other', usesTls: true };
    (await connectToNode({ host: '127.0.0.1', port: recorder.port }, parts)).destroy();
    const strangers = Array.from({ length: 400 }, () => dial(port));
    for (const [at, { socket }] of strangers.entries()) {
      if (socket.connecting) await nextEvent(socket, 'connect', 'a stranger connects');
      socket.write(recorder.sent().subarray(0, at % 2 === 0 ? 1 : 50));
    }
    expect(await (await fetch(`${url}/socket.io/`)).text()).toBe('served');
    for (const { closed } of strangers) expect(await closed).toHaveLength(0);
  });
});
