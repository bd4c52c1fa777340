import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import type { ClientRefusalLog } from '../observability/client-refusal-log.ts';

/** Engine.IO's own number for a protocol that it does not speak. */
const unsupportedProtocol = 5;

const oldClient =
  'A client was refused. It speaks another version of the protocol: use a client of Socket.IO 3 or 4 (Engine.IO 4).';

/** Tells of clients of Socket.IO 2 and earlier, which Engine.IO refuses with a number and a sentence. */
export function logOldClients(io: Server, refusalLog: ClientRefusalLog): void {
  io.engine.on('connection_error', (error: { readonly code: number; readonly req?: IncomingMessage }) => {
    if (error.code !== unsupportedProtocol) return;
    const version = /[?&]EIO=([^&]*)/.exec(error.req?.url ?? '')?.[1];
    refusalLog.log({ EIO: version }, oldClient);
  });
}
