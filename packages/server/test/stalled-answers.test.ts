import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { connectRaw, startServer } from './harness.ts';

/** Resolves to the server's end of the connection that carries the next request. */
function nextConnection(): Promise<Socket> {
  return new Promise((resolve) => {
    const onRequest = (message: unknown): void => resolve((message as { readonly socket: Socket }).socket);
    subscribe('http.server.request.start', onRequest);
    onTestFinished(() => void unsubscribe('http.server.request.start', onRequest));
  });
}

it.each(['/fanfare.js', '/console/console.js', '/socket.io/socket.io.js'])(
  'a client that requests %s again and again and reads nothing is disconnected after the stall limit',
  async (path) => {
    const { url } = await startServer({ stallTimeoutMs: 1_000 });
    const connection = nextConnection();
    const { socket } = connectRaw(url);
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(100));
    const served = await connection;
    if (!served.destroyed)
      await within(soonMs, 'the server closes the stalled connection', once(served, 'close'));
    expect(served.bytesWritten).toBeGreaterThan(0);
  },
);

it('a client whose poll waits longer than `stallTimeoutMs` stays connected', async () => {
  const { url } = await startServer({ stallTimeoutMs: 1_000 });
  const session = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
  const { sid } = JSON.parse(session.slice(1)) as { readonly sid: string };
  const connection = nextConnection();
  const { socket } = connectRaw(url);
  socket.write(`GET /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const served = await connection;
  // The socket itself reports that the time has passed.
  await within(soonMs, 'the stall limit passes', once(served, 'timeout'));
  expect(served.destroyed).toBe(false);
  const answered = within(soonMs, 'the poll is answered after all', once(socket, 'data'));
  await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body: '40' });
  expect(String(await answered)).toContain('HTTP/1.1 200');
});
