import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:tls';

/** The URL of a listening server, for people; `unix:` and the path of a Unix domain socket. */
export function urlOf(server: Server): string {
  const place = server.address();
  if (place === null || typeof place === 'string') return `unix:${place}`;
  const { address, family, port } = place;
  const isThisMachine = ['127.0.0.1', '0.0.0.0', '::'].includes(address);
  const host = isThisMachine ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return `${server instanceof TlsServer ? 'https' : 'http'}://${host}:${port}`;
}
