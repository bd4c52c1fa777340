import type { Server } from 'socket.io';
import type { EngineInside } from '../insides/engine-inside.ts';

/** The parts of an Engine.IO connection that this file uses. */
interface EngineConnection {
  readonly transport: { readonly name: string };
  on(event: 'close', listener: (this: EngineConnection) => void): void;
}

/**
 * Lets go of sessions that polled and have ended. Engine.IO keeps their transport for another half a minute, for a poll
 * that would be told so; no poll reaches it any more, and sessions that come and go would take more memory than any limit says.
 */
export function releasePolling(io: Server, { endPolling }: EngineInside): void {
  if (!endPolling) return;
  // One listener for all: one for each would cost every idle connection some hundred bytes.
  function onClose(this: EngineConnection): void {
    if (this.transport.name === 'polling') endPolling?.(this.transport);
  }
  io.engine.on('connection', (connection: EngineConnection) => connection.on('close', onClose));
}
