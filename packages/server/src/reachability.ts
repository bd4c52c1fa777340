import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { isAllowedHost } from './access/allowed-host.ts';
import { isForeignPage } from './access/cross-origin.ts';
import { isForwarded } from './access/forwarded.ts';
import { isLoopback } from './access/loopback.ts';
import { originsOf } from './config/origins.ts';
import { hasKey, type Settings } from './config/settings.ts';
import type { Refuse } from './open-socketio.ts';

const notOpen = 'Fanfare answers only its own machine here, until the app says open: true.';

const foreignPage = 'Web pages of other origins are refused, unless their origin is named (origins).';

const foreignHost =
  'Without a key Fanfare answers to localhost and addresses only: name the origin (origins), or say open: true.';

const forwarded =
  'Without a key Fanfare answers its own machine only, and a proxy has passed this request on: give the server a key (keyFile), or say open: true.';

const oldHttp =
  'Without a key Fanfare takes HTTP/1.0 for GET / and OPTIONS only, because proxies pass on requests of others in it: use HTTP/1.1, give the server a key (keyFile), or say open: true.';

/**
 * Refuses what strangers' web pages have browsers send; and where nobody has to say who is asking, what may come from
 * another machine.
 *
 * @param isAsked - whether the program says who is asking
 */
export function strangersRequests(settings: Settings, isAsked: boolean): Refuse {
  const origins = originsOf(settings);
  const isForAll = isAsked || settings.open || hasKey(settings);
  const refuseMachine = isForAll ? () => undefined : strangersMachines(origins);
  return (request) => (isForeignPage(request, origins) ? foreignPage : refuseMachine(request));
}

/** Where nothing but this machine's address keeps strangers out. A proxy here has that address, whoever asks it. */
function strangersMachines(origins: readonly string[]): Refuse {
  // Nearly all come with the same, and reading a URL takes as long as the rest of a small request.
  let usual: string | undefined;
  return (request) => {
    const { host } = request.headers;
    if (isForwarded(request.headers)) return forwarded;
    if (request.httpVersion === '1.0' && !isHealthCheck(request)) return oldHttp;
    if (host === usual) return undefined;
    if (!isAllowedHost(host, origins)) return foreignHost;
    usual = host;
    return undefined;
  };
}

/** The same on an app's HTTP server, where nobody but this machine is let in either. */
export function strangers(settings: Settings, isAsked: boolean): Refuse {
  const refuse = strangersRequests(settings, isAsked);
  return (request) => (isAsked || mayReach(settings, request.socket) ? refuse(request) : notOpen);
}

/** An app's HTTP server may listen on any address, so what ours decides once is decided for each request there. */
function mayReach(settings: Settings, { localAddress }: Socket): boolean {
  // A socket in the file system has no address.
  return settings.open || hasKey(settings) || localAddress === undefined || isLoopback(localAddress);
}

function isHealthCheck({ method, url }: IncomingMessage): boolean {
  return method === 'OPTIONS' || (method === 'GET' && url === '/');
}
