import type { IncomingMessage } from 'node:http';
import { isAllowedHost } from './host-header.ts';
import { isForeignPage } from './cross-origin.ts';
import { isForwarded } from './forwarded.ts';
import { isLoopback } from './loopback.ts';
import { tcpAddressesOf } from './tcp-addresses.ts';

/** Decides whether a request is accepted. Undefined accepts it. A string refuses it, and is the reason. */
export type Refuse = (request: IncomingMessage) => string | undefined;

export interface ReachabilityOptions {
  /** The web pages of other origins that may send requests. */
  readonly origins: readonly string[];
  /** Whether other machines may send requests: with a key, with the app's own login, or with `open`. */
  readonly acceptsOtherMachines: boolean;
  /**
   * Whether the address that a request came to is checked. An app's HTTP server may listen on any address;
   * Fanfare's own server decides this once, before it listens.
   */
  readonly checksLocalAddress: boolean;
}

const refused = {
  foreignPage:
    'Web pages of other origins are refused. To allow this page, add its origin to the setting `origins`.',
  otherAddress:
    'Without a key or `open: true`, Fanfare accepts only requests that come to a loopback address of this machine.',
  foreignHost:
    'Without a key or `open: true`, Fanfare accepts only requests whose `Host` is an IP address, `localhost` or a name without dots. To allow this one, add its origin to `origins`, or set `open: true`.',
  forwarded:
    'Without a key or `open: true`, Fanfare accepts only requests from its own machine, and a proxy has forwarded this one. Give the server a key (`keyFile`), or set `open: true`.',
  oldHttp:
    'Without a key or `open: true`, Fanfare accepts HTTP/1.0 only for `GET /` and `OPTIONS`, because proxies use it to forward requests from other machines. Use HTTP/1.1, give the server a key (`keyFile`), or set `open: true`.',
} as const;

/**
 * Decides which requests can reach the server. Requests of web pages of other origins are refused. If clients
 * need neither a token nor a login, requests of other machines are refused too.
 */
export function reachabilityCheck({
  origins,
  acceptsOtherMachines,
  checksLocalAddress,
}: ReachabilityOptions): Refuse {
  const refuseMachine = acceptsOtherMachines ? accept : otherMachineCheck(origins);
  const refuseAddress = acceptsOtherMachines || !checksLocalAddress ? accept : refuseOtherAddress;
  return (request) =>
    refuseAddress(request) ??
    (isForeignPage(request, origins) ? refused.foreignPage : refuseMachine(request));
}

function accept(): undefined {}

function refuseOtherAddress(request: IncomingMessage): string | undefined {
  const { localAddress } = tcpAddressesOf(request);
  // A Unix domain socket has no address.
  return localAddress === undefined || isLoopback(localAddress) ? undefined : refused.otherAddress;
}

/**
 * Refuses requests that a proxy on this machine forwards for other machines: their address is a loopback
 * address too.
 */
function otherMachineCheck(origins: readonly string[]): Refuse {
  // The last accepted `Host` is kept: nearly all requests have the same, and parsing a URL takes as long as
  // the rest of a small request.
  let usual: string | undefined;
  return (request) => {
    // The answer has nothing that an attacker could use, and a load balancer may send any `Host`.
    if (isProbe(request)) return undefined;
    const { host } = request.headers;
    if (isForwarded(request.headers)) return refused.forwarded;
    if (request.httpVersion === '1.0' && !isHealthCheck(request)) return refused.oldHttp;
    if (host === usual) return undefined;
    if (!isAllowedHost(host, origins)) return refused.foreignHost;
    usual = host;
    return undefined;
  };
}

function isHealthCheck({ method, url }: IncomingMessage): boolean {
  return method === 'OPTIONS' || (method === 'GET' && url === '/');
}

/** Whether a load balancer asks. Requests that the router decodes to these paths count as others. */
export function isProbe({ method, url = '' }: IncomingMessage): boolean {
  return (method === 'GET' || method === 'HEAD') && /^\/(?:healthz|readyz)(?:\?|$)/.test(url);
}
