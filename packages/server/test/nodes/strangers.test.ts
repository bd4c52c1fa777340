import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, until } from '../../../../test/waits.ts';
import { connectToNode } from '../../src/nodes/node-handshake.ts';
import { dial, passedOn, startPort, startRecorder } from './stranger.ts';

const forbidden = 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

describe('a stranger at the port for nodes', () => {
  it('a stranger that speaks HTTP gets 403, and no request of it is served', async () => {
    const { port, served } = await startPort();
    const { socket, closed } = dial(port);
    socket.write(passedOn.repeat(100));
    expect((await closed).toString()).toBe(forbidden);
    expect(served).toEqual([]);
  });

  it('a stranger with another key gets 403, and learns that it is not talking to its own node', async () => {
    const { port, served } = await startPort();
    const wrong = { key: randomBytes(32), listenerId: 'other', usesTls: false };
    await expect(connectToNode({ host: '127.0.0.1', port }, wrong)).rejects.toThrow('has another key');
    const { socket, closed } = dial(port);
    socket.write(Buffer.concat([Buffer.from('fanfare1'), randomBytes(16)]));
    socket.write(Buffer.concat([randomBytes(32), Buffer.from(passedOn)]));
    const answer = await closed;
    expect(answer.subarray(48).toString()).toBe(forbidden);
    expect(served).toEqual([]);
  });

  it('a recorded connection of a node cannot be replayed', async () => {
    const { port, key, served } = await startPort();
    const recorder = await startRecorder(port);
    const node = await connectToNode(
      { host: '127.0.0.1', port: recorder.port },
      { key, listenerId: 'other', usesTls: false },
    );
    node.write(passedOn);
    expect(String(await nextEvent(node, 'data', 'the request is served'))).toMatch(/^HTTP\/1\.1 200/);
    node.destroy();
    expect(served).toEqual(['/socket.io/?sid=x']);
    const { socket: replayed, closed } = dial(port);
    replayed.write(recorder.sent());
    expect((await closed).subarray(48).toString()).toBe(forbidden);
    expect(served).toEqual(['/socket.io/?sid=x']);
  });

  it("the port's own proof cannot be sent back to it", async () => {
    const { port, served } = await startPort();
    const { socket, received, closed } = dial(port);
    socket.write(Buffer.concat([Buffer.from('fanfare1'), randomBytes(16)]));
    await until('the proof of the port comes', () => received().length === 48, {
      step: () => nextEvent(socket, 'data', 'the port answers'),
    });
    socket.write(Buffer.concat([received().subarray(16), Buffer.from(passedOn)]));
    expect((await closed).subarray(48).toString()).toBe(forbidden);
    expect(served).toEqual([]);
  });

  it('a stranger that is silent is disconnected, and so is one that sends a byte now and then', async () => {
    const { port } = await startPort();
    const [silent, slow] = [dial(port), dial(port)];
    const timer = setInterval(() => slow.socket.write('f'), 100);
    onTestFinished(() => clearInterval(timer));
    expect(await silent.closed).toHaveLength(0);
    expect(await slow.closed).toHaveLength(0);
  });

  it('a thousand strangers that are silent do not keep a node out', async () => {
    const { port, url } = await startPort();
    const strangers = Array.from({ length: 1_000 }, () => dial(port));
    for (const { socket } of strangers)
      if (socket.connecting) await nextEvent(socket, 'connect', 'a stranger connects');
    expect(await (await fetch(`${url}/socket.io/`)).text()).toBe('served');
    for (const { closed } of strangers) expect(await closed).toHaveLength(0);
  });
});

describe('a node', () => {
  it.each([
    ['another path', 'GET /publish HTTP/1.1\r\nHost: a\r\nfanfare-addresses: - -\r\n\r\n'],
    [
      'an upgrade of another path',
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nfanfare-addresses: - -\r\n\r\n',
    ],
    ['no addresses of the client', 'GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['two headers with addresses', passedOn.replace('\r\n\r\n', '\r\nfanfare-addresses: 1 2\r\n\r\n')],
  ])('a node gets 403 for a request with %s', async (_what, request) => {
    const { port, key, served } = await startPort();
    const socket = await connectToNode(
      { host: '127.0.0.1', port },
      { key, listenerId: 'other', usesTls: false },
    );
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString()));
    socket.write(request);
    await nextEvent(socket, 'end', 'the port closes the connection');
    expect(text).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(served).toEqual([]);
  });

  it('a request with a head as large as clients may send is passed on', async () => {
    const { url } = await startPort();
    const headers = { 'x-long': 'x'.repeat(16_000) };
    const response = await fetch(`${url}/socket.io/`, { headers });
    expect([response.status, await response.text()]).toEqual([200, 'served']);
  });
});
