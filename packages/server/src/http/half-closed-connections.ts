import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { NodeInside } from '../insides/node-inside.ts';

/** Responses without an end of their own. */
const endless = new WeakSet<ServerResponse>();

/**
 * Marks a response that goes on until its client leaves. A client that has left looks like one that has only ended its side of
 * the connection, so the response ends in both cases.
 *
 * @returns false when the client has ended its side already
 */
export function markEndless(response: ServerResponse): boolean {
  endless.add(response);
  return !response.req.socket.readableEnded;
}

/** Makes a server respond to clients that end their side of a connection after their requests, as `nc -N` does. */
export function respondToHalfClosed(server: Server, { order, allowHalfClosed }: NodeInside): void {
  if (!allowHalfClosed) return;
  allowHalfClosed(server);
  // One listener for all connections: one for each would cost every idle connection some hundred bytes.
  function onEnd(this: Socket): void {
    const response = order.current(this);
    if (response && endless.has(response)) this.destroy();
  }
  server.on('connection', (socket: Socket) => {
    // After a declined upgrade, the same connection is emitted again.
    if (!socket.listeners('end').includes(onEnd)) socket.on('end', onEnd);
  });
}
