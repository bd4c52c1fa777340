import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { NodeInside } from '../insides/node-inside.ts';
import { readRequestsInTurns } from './request-reader.ts';

type Listener = (...args: unknown[]) => void;

/** The events to which Socket.IO and Fanfare add listeners; those for `request` are replaced. */
const sharedEvents = [
  'connection',
  'secureConnection',
  'checkContinue',
  'upgrade',
  'listening',
  'close',
] as const;

export interface Sharing {
  readonly isOurs: (request: IncomingMessage) => boolean;
  readonly answer: RequestListener;
  /** Adds the other listeners. Returns a function that undoes everything except listeners. */
  readonly addOthers: () => () => void;
  readonly node: NodeInside;
}

/**
 * Shares an app's HTTP server with the app: `answer` handles our requests, and the app handles all others.
 *
 * @returns a function that restores the server. If other code has added `request` listeners meanwhile,
 *   Fanfare only stops handling requests
 */
export function shareHttpServer(server: Server, { isOurs, answer, addOthers, node }: Sharing): () => void {
  const before = new Set(sharedEvents.flatMap((event) => server.listeners(event)));
  // The raw listeners: one that was added with `once` has to remove itself.
  const theirs = server.rawListeners('request') as RequestListener[];
  let isShared = true;
  const listener: RequestListener = (request, response) => {
    if (isShared && isOurs(request)) return answer(request, response);
    for (const their of theirs) their.call(server, request, response);
  };
  server.removeAllListeners('request').on('request', listener);
  const removeOthers = addOthers();
  readRequestsInTurns(server, node);
  const shared = server.listeners('request');
  const added = sharedEvents.flatMap((event) =>
    server
      .listeners(event)
      .filter((one) => !before.has(one))
      .map((one) => ({ event, one: one as Listener })),
  );
  return () => {
    isShared = false;
    removeOthers();
    for (const { event, one } of added) server.off(event, one);
    const now = server.listeners('request');
    if (now.length !== shared.length || now.some((one, at) => one !== shared[at])) return;
    server.removeAllListeners('request');
    for (const their of theirs) server.on('request', their);
  };
}
