import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';

/** Stock Socket.IO with the app of `echoApp`. @returns its URL */
export async function startStock(): Promise<string> {
  // Otherwise a client could send a request over a connection that is just being closed.
  const httpServer = createServer({ keepAliveTimeout: 120_000 });
  const io = new Server(httpServer, { httpCompression: false });
  onTestFinished(() => void io.close());
  io.use((socket, next) => {
    const { auth } = socket.handshake;
    if ('refuse' in auth) next(Object.assign(new Error('refused'), { data: auth['refuse'] as unknown }));
    else next();
  });
  io.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.onAny((...values: unknown[]) => {
      const last = values.at(-1);
      const ack = typeof last === 'function' ? (values.pop() as (...args: unknown[]) => void) : undefined;
      const [name, ...args] = values;
      if (/"type":"Buffer"/.test(JSON.stringify(values))) return ack?.('binary');
      if (name === 'emit') socket.emit('emitted', ...args);
      if (name === 'leave') socket.disconnect(true);
      ack?.(...args);
    });
  });
  return `http://127.0.0.1:${await startListening(httpServer)}`;
}
