import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:tls';

/** The event of a server with a connection that requests come on: with TLS, after its handshake. */
export function requestsOn(server: Server): 'connection' | 'secureConnection' {
  return server instanceof TlsServer ? 'secureConnection' : 'connection';
}
