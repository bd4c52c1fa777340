import type { Server } from 'socket.io';
import { inTime } from '../limits/in-time.ts';

/** The parts of Engine.IO's connections that this file uses. */
interface EngineSocket {
  /** What waits to be sent. */
  readonly writeBuffer: readonly unknown[];
  once(event: 'close' | 'drain', listener: () => void): void;
  close(): void;
}

/** Sends every client what is still due to it and closes its connection. Resolves once all are gone, or after the time. */
export async function sayGoodbye(io: Server, timeoutMs: number): Promise<void> {
  // Before the server listens there is no engine.
  const { clients = {} } = (io.engine ?? {}) as unknown as { clients?: Record<string, EngineSocket> };
  const gone = Object.values(clients).map((client) => {
    const closed = new Promise<void>((resolve) => client.once('close', resolve));
    closeWhenSent(client);
    return closed;
  });
  await inTime(Promise.all(gone), timeoutMs);
}

/** A client that polls may take what waits for it in several answers. */
function closeWhenSent(client: EngineSocket): void {
  if (client.writeBuffer.length === 0) client.close();
  else client.once('drain', () => setImmediate(() => closeWhenSent(client)));
}
