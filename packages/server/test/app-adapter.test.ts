import { createServer as createHttpServer } from 'node:http';
import { fanoutAdapter } from '@fanfare/fanout';
import { attach, type Fanfare } from '@fanfare/server';
import { Server as SocketServer, type ServerOptions } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sleep, startListening, until } from '../../../test/waits.ts';
import { connectClient } from './harness.ts';
import { tcpOf } from './slow-reader.ts';

const large = 'x'.repeat(50_000);

/** An app with its own Socket.IO server, to which Fanfare is attached. */
async function attachTo(options: Partial<ServerOptions>): Promise<{ url: string; fanfare: Fanfare }> {
  const http = createHttpServer();
  const io = new SocketServer(http, options);
  const fanfare = await attach(http, { io, memory: true });
  const port = await startListening(http);
  onTestFinished(async () => {
    await fanfare.stop();
    await io.close();
  });
  return { url: `http://127.0.0.1:${port}`, fanfare };
}

describe("a subscriber of an app's own Socket.IO server", () => {
  it.each([
    ["Socket.IO's own adapter", {}],
    ['@fanfare/fanout', { adapter: fanoutAdapter({ outboxBytesMax: 500_000 }) }],
  ])(
    "a slow subscriber of an app's own Socket.IO server gets every stored message from the log, with %s",
    async (_name, options) => {
      const { url, fanfare } = await attachTo(options);
      await fanfare.declare('news');
      // Over 20 MB: more than a kernel buffers for a connection that is not read.
      for (let number = 0; number < 400; number++) await fanfare.publish('news', [number, large]);
      const client = await connectClient(url);
      const numbers: number[] = [];
      client.on('news', ({ message: [number] }: { message: [number] }) => {
        if (numbers.push(number) === 1) tcpOf(client).pause();
      });
      await client.emitWithAck('subscribe', { topic: 'news', from: 'earliest' });
      await until('the first message comes', () => numbers.length > 0);
      // Nothing tells the client that the server has filled its outbox and the kernel's buffers.
      await sleep(1_000);
      tcpOf(client).resume();
      await until('all 400 messages come', () => numbers.length === 400, { soFar: () => numbers.length });
      expect(numbers).toEqual(Array.from({ length: 400 }, (_, number) => number));
    },
  );
});
