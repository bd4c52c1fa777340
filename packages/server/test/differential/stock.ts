import { createServer } from 'node:http';
import { Server, type ServerOptions } from 'socket.io';
import type { StartedEnd } from './app.ts';
import { limits, notFound } from './app.ts';
import { serveApp } from './app-on-socket-io.ts';

/**
 * Stock Socket.IO: what it answers is what clients expect.
 *
 * @param change - makes it answer something else
 */
export function stockSocketIo(
  change: (io: Server) => void = () => {},
  options: Partial<ServerOptions> = {},
): () => StartedEnd {
  return () => {
    const http = createServer(notFound);
    const io = new Server(http, {
      maxHttpBufferSize: limits.packetBytesMax,
      connectTimeout: limits.loginTimeoutMs,
      ...options,
    });
    serveApp(io);
    change(io);
    return { http, stop: () => void io.engine.close() };
  };
}
