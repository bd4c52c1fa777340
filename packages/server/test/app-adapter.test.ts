import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fanoutAdapter } from '@fanfare/fanout';
import { attach, type Fanfare } from '@fanfare/server';
import { Server as SocketServer, type ServerOptions } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectClient } from './harness.ts';
import { tcpOf } from './slow-reader.ts';

const large = 'x'.repeat(50_000);

/** An app with a Socket.IO server of its own, which Fanfare is attached to. */
async function attachTo(options: Partial<ServerOptions>): Promise<{ url: string; fanfare: Fanfare }> {
  const http = createHttpServer();
  const io = new SocketServer(http, options);
  const fanfare = await attach(http, { io, memory: true });
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await fanfare.stop();
    await io.close();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, fanfare };
}

describe("a subscriber of an app's own Socket.IO server that reads slowly", () => {
  it.each([
    ["Socket.IO's own adapter", {}],
    ['@fanfare/fanout', { adapter: fanoutAdapter({ outboxBytesMax: 500_000 }) }],
  ])('gets everything from the log that is stored, with %s', async (_name, options) => {
    const { url, fanfare } = await attachTo(options);
    await fanfare.declare('news');
    // Over 20 MB: more than a kernel takes for a connection that is not read.
    for (let number = 0; number < 400; number++) await fanfare.publish('news', [number, large]);
    const client = await connectClient(url);
    const numbers: number[] = [];
    const all = new Promise<void>((resolve) => {
      client.on('news', ({ message: [number] }: { message: [number] }) => {
        if (numbers.length === 0) {
          tcpOf(client).pause();
          setTimeout(() => tcpOf(client).resume(), 1_000);
        }
        if (numbers.push(number) === 400) resolve();
      });
    });
    await client.emitWithAck('subscribe', { topic: 'news', from: 'earliest' });
    await all;
    expect(numbers).toEqual(Array.from({ length: 400 }, (_, number) => number));
  });
});
