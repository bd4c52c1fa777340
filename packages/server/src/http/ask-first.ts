import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';

/**
 * Makes a server ask a handler before its other listeners for requests.
 *
 * @param handle - returns whether it answers the request. If not, the other listeners get it
 */
export function askFirst(
  server: Server,
  handle: (request: IncomingMessage, response: ServerResponse) => boolean,
): void {
  const others = server.rawListeners('request') as RequestListener[];
  server.removeAllListeners('request').on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (handle(request, response)) return;
    for (const other of others) other.call(server, request, response);
  });
}
