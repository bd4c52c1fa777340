import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { Arrival } from '../limits/arrival-room.ts';
import { packetRoom } from './packet-room.ts';

/**
 * Bounds what has come of messages in part where ws does not tell that: counts what has come over the TCP connection since the last
 * whole message. That is somewhat more than ws keeps.
 */
export function boundAtTcp(webSocket: WebSocket, socket: Duplex): void {
  const arrival = new Arrival(packetRoom);
  let bytes = 0;
  let pieces = 0;
  webSocket.on('message', () => {
    bytes = pieces = 0;
    arrival.end();
  });
  // Behind ws's own listener, so that what was whole is told before.
  socket.on('data', ({ length }: Buffer) => {
    bytes += length;
    pieces++;
    if (!arrival.hold(bytes, pieces)) webSocket.terminate();
  });
  webSocket.once('close', () => arrival.end());
}
