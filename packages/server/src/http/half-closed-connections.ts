import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { NodeInside } from '../insides/node-inside.ts';

/** Answers that go on until their client leaves. */
const endless = new WeakSet<ServerResponse>();

/**
 * Notes that an answer goes on until its client leaves. Nobody can tell a client that has left from one that has only ended its
 * side of the connection, so the answer ends with either.
 *
 * @returns false when the client has ended its side already
 */
export function markEndless(response: ServerResponse): boolean {
  endless.add(response);
  return !response.req.socket.readableEnded;
}

/** Has a server answer clients that end their side of a connection behind their requests, as `nc -N` does. */
export function respondToHalfClosed(server: Server, { order, allowHalfClosed }: NodeInside): void {
  if (!allowHalfClosed) return;
  allowHalfClosed(server);
  // One listener for all: one for each would cost every idle connection some hundred bytes.
  function onEnd(this: Socket): void {
    const answer = order.current(this);
    if (answer && endless.has(answer)) this.destroy();
  }
  server.on('connection', (socket: Socket) => {
    // A connection whose offer of an upgrade was declined comes again.
    if (!socket.listeners('end').includes(onEnd)) socket.on('end', onEnd);
  });
}
