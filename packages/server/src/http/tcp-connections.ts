import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { FanfareError } from '@fanfare/protocol';
import type { ClientAddresses } from '../access/client-address.ts';
import type { ConnectionCounts } from '../limits/connection-counts.ts';
import { asRefusal, type RequestLogger } from '../observability/unexpected-failure.ts';
import { refuseConnection } from './problem.ts';

export interface TcpConnectionsParts {
  readonly addresses: ClientAddresses;
  readonly logger: RequestLogger;
}

/**
 * The open connections of an HTTP server, also upgraded ones, which Node's HTTP server does not track any
 * more.
 */
export class TcpConnections {
  /** The address of each connection, because a closed socket no longer has its address. */
  readonly #sockets = new Map<Socket, string | undefined>();
  #onEmpty: (() => void) | undefined;

  /** @param counts - limits the connections; connections beyond the limit are refused and closed */
  constructor(server: Server, counts: ConnectionCounts, { addresses, logger }: TcpConnectionsParts) {
    const isTls = server instanceof TlsServer;
    const forget = (socket: Socket): void => {
      counts.closed(this.#sockets.get(socket));
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onEmpty?.();
    };
    // One listener for all connections: one for each would cost every idle connection some hundred bytes.
    function onClose(this: Socket): void {
      forget(this);
    }
    server.on('connection', (socket: Socket) => {
      // After a declined upgrade, the same connection is emitted again.
      if (this.#sockets.has(socket)) return;
      const address = addresses.ofConnection(socket);
      const reason = counts.refusal(address);
      if (reason !== undefined) {
        const refusal = asRefusal(new FanfareError('limit_exceeded', reason), logger);
        // With TLS, it can be read only after a handshake, which would cost more than the connection.
        return isTls ? void socket.destroy() : refuseConnection(socket, refusal);
      }
      counts.opened(address);
      this.#sockets.set(socket, address);
      socket.on('close', onClose);
    });
  }

  /** Resolves when no connection is open, or after the time. */
  async emptied(timeoutMs: number): Promise<void> {
    if (this.#sockets.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
  }

  destroy(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }
}
