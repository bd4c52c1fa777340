import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { originForm } from './request-target.ts';
import type { NodeInside } from '../insides/node-inside.ts';
import { readInTurns } from './request-reader.ts';

type Listener = (...args: unknown[]) => void;

/** The events that Socket.IO and we add listeners to; those for `request` are replaced. */
const addedTo = ['connection', 'secureConnection', 'checkContinue', 'upgrade', 'listening', 'close'] as const;

export interface Sharing {
  readonly isOurs: (request: IncomingMessage) => boolean;
  readonly answer: RequestListener;
  /** Returns what undoes that, but for listeners. */
  readonly addOthers: () => () => void;
  readonly node: NodeInside;
}

/**
 * Shares an HTTP server with the app that it belongs to: the requests that are ours are answered by `answer`, what
 * `addOthers` adds to the server is added, and every other request stays the app's. The function returned gives the
 * server back as it was, unless something else has come to share its requests since; then it only steps aside.
 */
export function shareServer(server: Server, { isOurs, answer, addOthers, node }: Sharing): () => void {
  const before = new Set(addedTo.flatMap((event) => server.listeners(event)));
  // As they were added: one that is for one request removes itself.
  const theirs = server.rawListeners('request') as RequestListener[];
  let isShared = true;
  const listener: RequestListener = (request, response) => {
    if (isShared && isOurs(request)) return answer(request, response);
    for (const their of theirs) their.call(server, request, response);
  };
  server.removeAllListeners('request').on('request', listener);
  const removeOthers = addOthers();
  readInTurns(server, node);
  const shared = server.listeners('request');
  const added = addedTo.flatMap((event) =>
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

/**
 * Which requests are ours on an app's server: `POST /publish` alone; what is about topics as well, and PROTOCOL.md §7;
 * or also what an operator looks at the server through.
 */
export type Taken = 'publish' | 'topics' | 'all';

/** @param withPreflights - whether a browser's question about `/publish` is ours too */
export function isTaken(
  { method, url: target = '' }: IncomingMessage,
  taken: Taken,
  withPreflights: boolean,
): boolean {
  const url = originForm(target);
  const isPublish = method === 'POST' || (withPreflights && method === 'OPTIONS');
  if (isPublish && (url === '/publish' || url.startsWith('/publish?'))) return true;
  if (taken !== 'publish' && /^\/(?:topics|revocations)(?:[/?]|$)/.test(url)) return true;
  // An app may have pages of these names.
  if (taken !== 'publish' && /^\/(?:topic|messages|subscribers)\?(?:.*&)?topic=/.test(url)) return true;
  return taken === 'all' && /^\/(?:identity|stats|connections)(?:[/?]|$)/.test(url);
}
