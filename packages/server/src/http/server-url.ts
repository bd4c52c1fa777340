import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The URL of a listening server, for people. */
export function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  const isThisMachine = ['127.0.0.1', '0.0.0.0', '::'].includes(address);
  const host = isThisMachine ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return `http://${host}:${port}`;
}
