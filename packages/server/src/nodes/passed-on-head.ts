import type { IncomingMessage } from 'node:http';
import { tcpAddressesOf, type TcpAddresses } from '../access/tcp-addresses.ts';

/*
 * The head of a request that one node passes on to another: the client's own head, and a header with the
 * addresses of the TCP connection that it came on.
 */

/** Trusted only on connections of other nodes. */
const addressHeader = 'fanfare-addresses';

/** The largest header of ours, in bytes. */
export const addressHeaderBytesMax = 256;

/** Stands for an address that a connection does not have. */
const none = '-';

/** Headers for one connection only, which Node writes anew (RFC 9110, 7.6.1). */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  // The first node has already answered it.
  'expect',
]);

/** What follows an upgrade is no body, whatever the request says. */
const bodyHeaders: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'expect']);

/** The headers of a request for another node, in the form of `rawHeaders`. */
export function headersToPassOn(request: IncomingMessage): string[] {
  const headers = without(request.rawHeaders, hopByHop);
  if (request.headers['transfer-encoding'] !== undefined) headers.push('Transfer-Encoding', 'chunked');
  return [...headers, addressHeader, formatAddresses(tcpAddressesOf(request))];
}

/** The whole head of a request for an upgrade for another node. */
export function upgradeToPassOn(request: IncomingMessage): Buffer {
  const headers = without(request.rawHeaders, bodyHeaders);
  const lines = [`${request.method} ${request.url} HTTP/1.1`];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  lines.push(`${addressHeader}: ${formatAddresses(tcpAddressesOf(request))}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** The headers of a response of another node for the client. */
export function responseHeadersToPassOn({ rawHeaders }: IncomingMessage): string[] {
  return without(rawHeaders, hopByHop);
}

/** The addresses that a request came with to the node that has passed it on. Undefined: no node has. */
export function addressesOfPassedOn({ headers }: IncomingMessage): TcpAddresses | undefined {
  const [remote, local, ...rest] = String(headers[addressHeader] ?? '').split(' ');
  if (remote === undefined || local === undefined || rest.length > 0) return undefined;
  return {
    ...(remote !== none && { remoteAddress: remote }),
    ...(local !== none && { localAddress: local }),
  };
}

function formatAddresses({ remoteAddress = none, localAddress = none }: TcpAddresses): string {
  return `${remoteAddress} ${localAddress}`;
}

/** Clients could also have written our own header. */
function without(rawHeaders: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const lowerName = name.toLowerCase();
    if (lowerName !== addressHeader && !names.has(lowerName)) kept.push(name, rawHeaders[at + 1] ?? '');
  }
  return kept;
}
