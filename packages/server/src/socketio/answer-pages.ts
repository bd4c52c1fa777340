import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { crossOriginHeaders, preflightHeaders } from '../access/cross-origin.ts';

/**
 * Gives every answer of Socket.IO the headers that say which pages may read it, its refusals and its own client among them,
 * and answers preflights. To be called once Socket.IO is attached.
 *
 * @param isOurs - whether a request is for Socket.IO
 * @param origins - of the pages that may read
 */
export function answerPages(
  server: Server,
  isOurs: (request: IncomingMessage) => boolean,
  origins: readonly string[],
): void {
  const listeners = server.rawListeners('request') as RequestListener[];
  server.removeAllListeners('request').on('request', (request, response) => {
    if (isOurs(request)) {
      response.setHeaders(new Map(Object.entries(crossOriginHeaders(request, origins))));
      const preflight = preflightHeaders(request, origins);
      if (preflight) return void response.writeHead(204, preflight).end();
    }
    for (const listener of listeners) listener.call(server, request, response);
  });
}
