import type { ClientEnd, ClientEndParts } from './client-end.ts';
import { ownIoEnd } from './compose-app-io.ts';
import { composeSocketIo } from './compose-socketio.ts';
import { tryInsides } from './try-insides.ts';

/** Makes the client end on a Socket.IO server of our own. */
export async function openClientEnd(parts: ClientEndParts): Promise<ClientEnd> {
  const insides = await tryInsides(parts.logger);
  const { io, serve } = composeSocketIo({ ...parts, insides });
  return ownIoEnd(io, serve, insides, parts);
}
