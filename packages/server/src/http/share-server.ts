import type { IncomingMessage, RequestListener, Server } from 'node:http';

type Listener = (...args: unknown[]) => void;

/** The events that Socket.IO adds listeners to; those for `request` it replaces. */
const addedTo = ['upgrade', 'listening', 'close'] as const;

/**
 * Shares an HTTP server with the app that it belongs to: publishes are answered by `publish`, what `addOthers`
 * adds to the server is added, and every other request stays the app's. The function returned gives the
 * server back as it was, unless something else has come to share its requests since; then it only steps aside.
 */
export function shareServer(server: Server, publish: RequestListener, addOthers: () => void): () => void {
  const before = new Set(addedTo.flatMap((event) => server.listeners(event)));
  const theirs = server.listeners('request') as RequestListener[];
  let isShared = true;
  const listener: RequestListener = (request, response) => {
    if (isShared && isPublish(request)) return publish(request, response);
    for (const their of theirs) their.call(server, request, response);
  };
  server.removeAllListeners('request').on('request', listener);
  addOthers();
  const shared = server.listeners('request');
  const added = addedTo.flatMap((event) =>
    server
      .listeners(event)
      .filter((one) => !before.has(one))
      .map((one) => ({ event, one: one as Listener })),
  );
  return () => {
    isShared = false;
    for (const { event, one } of added) server.off(event, one);
    const now = server.listeners('request');
    if (now.length !== shared.length || now.some((one, at) => one !== shared[at])) return;
    server.removeAllListeners('request');
    for (const their of theirs) server.on('request', their);
  };
}

function isPublish({ method, url = '' }: IncomingMessage): boolean {
  return method === 'POST' && (url === '/publish' || url.startsWith('/publish?'));
}
