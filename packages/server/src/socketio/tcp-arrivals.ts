import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { Arrival } from '../limits/arrival-budget.ts';
import { packetBudget } from './packet-budget.ts';

/**
 * Limits the memory of incomplete messages where the buffers of ws cannot be read. It counts what the TCP connection has brought since
 * the last complete message. This is a little more than ws keeps.
 */
export function boundAtTcp(webSocket: WebSocket, socket: Duplex): void {
  const arrival = new Arrival(packetBudget);
  let bytes = 0;
  let pieces = 0;
  webSocket.on('message', () => {
    bytes = pieces = 0;
    arrival.end();
  });
  // ws's own listener comes first, and emits the messages that this chunk completes.
  socket.on('data', ({ length }: Buffer) => {
    bytes += length;
    pieces++;
    if (!arrival.hold(bytes, pieces)) webSocket.terminate();
  });
  webSocket.once('close', () => arrival.end());
}
