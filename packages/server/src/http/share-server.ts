import type { IncomingMessage, RequestListener, Server } from 'node:http';

type Listener = (...args: unknown[]) => void;

/** The events that Socket.IO listens to as well. */
const events = ['request', 'upgrade', 'listening', 'close'] as const;

/**
 * Shares an HTTP server with the app that it belongs to: publishes are answered by `publish`, what `addOthers`
 * adds to the server is added, and every other request stays the app's. The function returned gives the
 * server back as it was, unless something else has come to share it since; then it only steps aside.
 */
export function shareServer(server: Server, publish: RequestListener, addOthers: () => void): () => void {
  const before = events.map((event) => server.listeners(event) as Listener[]);
  let isShared = true;
  const [theirs = []] = before;
  const listener: RequestListener = (request, response) => {
    if (isShared && isPublish(request)) return publish(request, response);
    for (const their of theirs) their.call(server, request, response);
  };
  server.removeAllListeners('request').on('request', listener);
  addOthers();
  const after = events.map((event) => server.listeners(event) as Listener[]);
  return () => {
    isShared = false;
    for (const [at, event] of events.entries()) giveBack(server, event, before[at] ?? [], after[at] ?? []);
  };
}

function giveBack(
  server: Server,
  event: string,
  before: readonly Listener[],
  after: readonly Listener[],
): void {
  const now = server.listeners(event);
  if (now.length !== after.length || now.some((listener, at) => listener !== after[at])) return;
  server.removeAllListeners(event);
  for (const listener of before) server.on(event, listener);
}

function isPublish({ method, url = '' }: IncomingMessage): boolean {
  return method === 'POST' && (url === '/publish' || url.startsWith('/publish?'));
}
