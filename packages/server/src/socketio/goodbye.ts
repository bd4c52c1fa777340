import type { Server } from 'socket.io';
import type { PacketsWaiting } from '../insides/engine-inside.ts';
import { inTime } from '../limits/in-time.ts';

/** The parts of Engine.IO's connections that this file uses. */
interface EngineSocket {
  once(event: 'close' | 'drain', listener: () => void): void;
  close(): void;
}

/** Sends every client that has logged in what is still due to it, and closes its connection. Resolves when all are gone, or after the time. */
export async function sayGoodbye(io: Server, packets: PacketsWaiting, timeoutMs: number): Promise<void> {
  const clients = new Set<EngineSocket>([...io.sockets.sockets.values()].map(({ conn }) => conn));
  const gone = [...clients].map((client) => {
    const closed = new Promise<void>((resolve) => client.once('close', resolve));
    closeWhenSent(client, packets);
    return closed;
  });
  await inTime(Promise.all(gone), timeoutMs);
}

/** A client that polls may take what waits for it in several answers. */
function closeWhenSent(client: EngineSocket, packets: PacketsWaiting): void {
  if (packets.of(client) === 0) client.close();
  else client.once('drain', () => setImmediate(() => closeWhenSent(client, packets)));
}
