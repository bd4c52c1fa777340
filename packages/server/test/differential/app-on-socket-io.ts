import type { Server, Socket } from 'socket.io';
import { RefusedArgument, TextArgument } from '../../src/socketio/event-decoder.ts';
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
      const refusal = refusalIn(args[0]);
      if (refusal === undefined) onEvent(client, String(event), args.map(valueOf), acknowledge);
      else if (acknowledge) acknowledge(refusal);
      else client.emit('error', refusal);
    });
  });
}

/** Why Fanfare refuses an event, which its own decoder or its message path finds out. */
function refusalIn(argument: unknown): string | undefined {
  if (argument instanceof RefusedArgument) return argument.reason.message;
  try {
    valueOf(argument);
    return undefined;
  } catch {
    return 'The argument of a publish must be JSON.';
  }
}

/** Fanfare's own decoder leaves the argument of a publish as text, for the message path. */
function valueOf(argument: unknown): unknown {
  return argument instanceof TextArgument ? (JSON.parse(argument.json) as unknown) : argument;
}

function clientOf(socket: Socket): AppClient {
  return {
    emit: (event, ...args) => void socket.emit(event, ...args),
    disconnect: () => void socket.disconnect(true),
    close: () => socket.conn.close(),
  };
}
