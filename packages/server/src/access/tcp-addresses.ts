import type { IncomingMessage } from 'node:http';

/** The two ends of the TCP connection on which a request came to Fanfare. A Unix domain socket has none. */
export interface TcpAddresses {
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** The requests that another node has passed on. */
const passedOn = new WeakMap<object, TcpAddresses>();

/** Notes that another node has passed a request on, and how the request came to that node. */
export function notePassedOn(request: IncomingMessage, addresses: TcpAddresses): void {
  passedOn.set(request, addresses);
}

/** Whether another node has passed the request on. */
export function isPassedOn(request: IncomingMessage): boolean {
  return passedOn.has(request);
}

/**
 * The addresses of the connection on which the client, or a proxy of the operator, has sent a request. If
 * another node has passed the request on, these are the addresses that it came with to that node.
 */
export function tcpAddressesOf(request: Pick<IncomingMessage, 'socket'>): TcpAddresses {
  return passedOn.get(request) ?? request.socket;
}
