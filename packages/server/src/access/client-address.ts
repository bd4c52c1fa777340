import type { IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { parseNetworks } from './networks.ts';
import { tcpAddressesOf } from './tcp-addresses.ts';

/** Whether a machine is a trusted proxy; `hop` is the number of machines between it and the server. */
export type TrustProxy = (address: string | undefined, hop: number) => boolean;

/**
 * Reads a comma-separated list of addresses and networks, or a number of proxies. Undefined if the text is
 * neither.
 */
export function parseTrustProxy(text: string): TrustProxy | undefined {
  if (/^\d{1,2}$/.test(text)) return (_address, hop) => hop < Number(text);
  return parseNetworks(text);
}

/** Finds the addresses of clients, also those of clients of trusted proxies (setting `trustProxy`). */
export class ClientAddresses {
  readonly #trust: TrustProxy;

  constructor(trust: TrustProxy) {
    this.#trust = trust;
  }

  /**
   * The address of the client that sent a request: the last address in `X-Forwarded-For` that a trusted proxy
   * added, or else the address of the connection. Addresses that clients write there themselves do not count.
   * A Unix domain socket has no address.
   */
  of(request: Pick<IncomingMessage, 'socket' | 'headers'>): string | undefined {
    let { remoteAddress: address } = tcpAddressesOf(request);
    if (!this.#trust(address, 0)) return address;
    const forwardedFor = [request.headers['x-forwarded-for'] ?? ''].flat().join(',');
    for (const [hop, text] of forwardedFor.split(',').toReversed().entries()) {
      const next = this.#trust(address, hop) ? addressIn(text) : undefined;
      if (next === undefined) return address;
      address = next;
    }
    return address;
  }

  /**
   * Sets the client's address on an Engine.IO connection from a proxy, while the connection still has its
   * request.
   */
  tell(connection: { readonly request: IncomingMessage }): void {
    const { request } = connection;
    const socket = request.socket as Socket | undefined;
    if (socket && this.#trust(socket.remoteAddress, 0))
      Object.assign(connection, { remoteAddress: this.of(request) });
  }

  /**
   * The address by which a connection is counted. Undefined for a proxy, whose address many clients share.
   */
  ofConnection({ remoteAddress }: Socket): string | undefined {
    return this.#trust(remoteAddress, 0) ? undefined : remoteAddress;
  }
}

/** Reads one address. Some proxies add the port. */
function addressIn(text: string): string | undefined {
  const [, inBrackets, withoutPort = ''] = /^\s*(?:\[([^\]]+)\](?::\d+)?|(.*?))\s*$/.exec(text) ?? [];
  const address = inBrackets ?? withoutPort.replace(/^([\d.]+):\d+$/, '$1');
  return isIP(address) > 0 ? address : undefined;
}
