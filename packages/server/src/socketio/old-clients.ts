import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import type { ClientRefusalLog } from '../observability/client-refusal-log.ts';

/** The error code of Engine.IO for an unsupported protocol version. */
const unsupportedProtocol = 5;

const oldClient =
  'A client was refused. It uses an unsupported protocol version: use a Socket.IO 3 or 4 client (Engine.IO 4).';

/**
 * Logs clients of Socket.IO 2 and earlier. Engine.IO refuses them with a code and a sentence, but does not
 * log this.
 */
export function logOldClients(io: Server, refusalLog: ClientRefusalLog): void {
  io.engine.on('connection_error', (error: { readonly code: number; readonly req?: IncomingMessage }) => {
    if (error.code !== unsupportedProtocol) return;
    const version = /[?&]EIO=([^&]*)/.exec(error.req?.url ?? '')?.[1];
    refusalLog.log({ EIO: version }, oldClient);
  });
}
