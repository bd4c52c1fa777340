import type { IncomingMessage, RequestListener, Server } from 'node:http';

/**
 * Takes the requests that are Fanfare's from an HTTP server that another app answers, as Socket.IO does it:
 * the app's listeners get every other one. The function returned gives all back to the app.
 */
export function shareRequests(server: Server, ours: RequestListener): () => void {
  const theirs = server.listeners('request') as RequestListener[];
  const listener: RequestListener = (request, response) => {
    if (isFanfareRequest(request)) return ours(request, response);
    for (const their of theirs) their.call(server, request, response);
  };
  server.removeAllListeners('request');
  server.on('request', listener);
  return () => {
    server.off('request', listener);
    for (const their of theirs) server.on('request', their);
  };
}

function isFanfareRequest({ url = '' }: IncomingMessage): boolean {
  return url === '/publish' || url.startsWith('/publish?');
}
