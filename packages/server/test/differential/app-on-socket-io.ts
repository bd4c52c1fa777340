import type { Server, Socket } from 'socket.io';
import { onEvent, refusalOf, type AppClient } from './app.ts';

type Acknowledge = (...answer: readonly unknown[]) => void;

/** Gives a server of Socket.IO the app. */
export function serveApp(io: Server): void {
  io.use((socket, next) => {
    const refusal = refusalOf(socket.handshake.auth);
    next(refusal === undefined ? undefined : Object.assign(new Error(refusal), { data: { code: 'bad' } }));
  });
  io.on('connection', (socket) => {
    const client = clientOf(socket);
    socket.onAny((event: unknown, ...args: unknown[]) => {
      const acknowledge = typeof args.at(-1) === 'function' ? (args.pop() as Acknowledge) : undefined;
      onEvent(client, String(event), args, acknowledge);
    });
  });
}

function clientOf(socket: Socket): AppClient {
  return {
    emit: (event, ...args) => void socket.emit(event, ...args),
    disconnect: () => void socket.disconnect(true),
    close: () => socket.conn.close(),
  };
}
