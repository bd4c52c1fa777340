import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { requestsOn } from './http-connections.ts';
import type { NodeInside } from '../insides/node-inside.ts';

/** The responses that end only when their client leaves. */
const endless = new WeakSet<ServerResponse>();

/**
 * Marks a response that ends only when its client leaves. A client that has left looks like a client that has
 * only half-closed the connection. So the response ends in both cases.
 *
 * @returns false if the client has already half-closed the connection
 */
export function markEndless(response: ServerResponse): boolean {
  endless.add(response);
  return !response.req.socket.readableEnded;
}

/** Makes a server respond to clients that half-close a connection after their requests, as `nc -N` does. */
export function respondToHalfClosed(server: Server, { order, allowHalfClosed }: NodeInside): void {
  if (!allowHalfClosed) return;
  allowHalfClosed(server);
  // One listener for all connections: one for each would cost every idle connection some hundred bytes.
  function onEnd(this: Socket): void {
    const response = order.current(this);
    if (response && endless.has(response)) this.destroy();
  }
  server.on(requestsOn(server), (socket: Socket) => {
    // After a declined upgrade, the same connection is emitted again.
    if (!socket.listeners('end').includes(onEnd)) socket.on('end', onEnd);
  });
}
