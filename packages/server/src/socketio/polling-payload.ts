import type { Server } from 'socket.io';
import type { EngineInside } from '../insides/engine-inside.ts';

/** What python-engineio takes in one answer to a poll; it ends the connection over more. */
const packetsPerPayloadMax = 16;

/** The parts of an Engine.IO connection that this file uses. */
interface EngineSocket {
  readonly request: { readonly headers: { readonly 'user-agent'?: string } };
  readonly transport: { readonly name: string };
  on(event: 'flush', listener: (buffer: unknown[]) => void): void;
  once(event: 'drain', listener: () => void): void;
}

/**
 * Lets a Python client that polls (it has no websocket-client installed) live through a burst of messages:
 * what is over its limit waits for its next poll.
 */
export function limitPollingPayloads(io: Server, { putBack }: EngineInside): void {
  if (!putBack) return;
  io.engine.on('connection', (socket: EngineSocket) => {
    if (!/^python/i.test(socket.request.headers['user-agent'] ?? '')) return;
    socket.on('flush', (buffer) => {
      if (socket.transport.name !== 'polling' || buffer.length <= packetsPerPayloadMax) return;
      const rest = buffer.splice(packetsPerPayloadMax);
      socket.once('drain', () => putBack(socket, rest));
    });
  });
}
