import type { Server } from 'socket.io';
import type { PacketsWaiting } from '../insides/engine-inside.ts';

/** The parts of Engine.IO's connections that this file uses. */
interface EngineSocket {
  once(event: 'close' | 'drain', listener: () => void): void;
  close(): void;
}

/**
 * Sends the rest of its outbox to every client that has logged in, and closes its connection. Resolves when
 * all clients have gone, when no client has read anything for `idleMs`, or after `timeoutMs`.
 */
export async function drainClients(
  io: Server,
  packets: PacketsWaiting,
  { idleMs, timeoutMs }: { readonly idleMs: number; readonly timeoutMs: number },
): Promise<void> {
  const clients = new Set<EngineSocket>([...io.sockets.sockets.values()].map(({ conn }) => conn));
  let isIdle: NodeJS.Timeout | undefined;
  let isOver: NodeJS.Timeout | undefined;
  const gone = [...clients].map((client) => {
    const closed = new Promise<void>((resolve) => client.once('close', resolve));
    closeWhenSent(client, packets, () => isIdle?.refresh());
    return closed;
  });
  const late = new Promise<void>((resolve) => {
    isIdle = setTimeout(resolve, idleMs);
    isOver = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([Promise.all(gone), late]);
  clearTimeout(isIdle);
  clearTimeout(isOver);
}

/**
 * Closes a connection after all its packets are sent. A polling client may need several responses for them.
 */
function closeWhenSent(client: EngineSocket, packets: PacketsWaiting, onTaken: () => void): void {
  if (packets.of(client) === 0) return client.close();
  client.once('drain', () => {
    onTaken();
    setImmediate(() => closeWhenSent(client, packets, onTaken));
  });
}
