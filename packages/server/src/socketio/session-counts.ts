import type { Server } from 'socket.io';
import type { ConnectionCounts } from '../limits/connection-counts.ts';

/** The parts of an Engine.IO connection that this file uses. */
interface EngineConnection {
  readonly remoteAddress: string | undefined;
  on(event: 'close', listener: (this: EngineConnection) => void): void;
}

/** Counts the sessions of Engine.IO; whether one more may come is asked where requests are let in. */
export function countSessions(io: Server, counts: ConnectionCounts): void {
  // One listener for all: one for each would cost every idle connection some hundred bytes.
  function onClose(this: EngineConnection): void {
    counts.closed(this.remoteAddress);
  }
  io.engine.on('connection', (connection: EngineConnection) => {
    counts.opened(connection.remoteAddress);
    connection.on('close', onClose);
  });
}
