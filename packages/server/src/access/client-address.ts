import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, type Socket } from 'node:net';

/** Whether what a machine says of its clients is believed; `hop` is how many machines are between it and the server. */
export type TrustProxy = (address: string | undefined, hop: number) => boolean;

const familyBits = { ipv4: 32, ipv6: 128 } as const;

/** Reads addresses and networks with commas between them, or a number of proxies. Undefined when it is neither. */
export function parseTrustProxy(text: string): TrustProxy | undefined {
  if (text.trim() === '') return () => false;
  if (/^\d{1,2}$/.test(text)) return (_address, hop) => hop < Number(text);
  const proxies = new BlockList();
  for (const part of text.split(',')) {
    const [, address = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(part.trim()) ?? [];
    const family = familyOf(address);
    if (!family || Number(bits ?? 0) > familyBits[family]) return undefined;
    proxies.addSubnet(address, Number(bits ?? familyBits[family]), family);
  }
  return (address = '') => {
    const [bare = ''] = address.split('%');
    const family = familyOf(bare);
    return family !== undefined && proxies.check(bare, family);
  };
}

function familyOf(address: string): keyof typeof familyBits | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6';
}

/** Tells clients by their addresses, also behind proxies that are trusted: the setting `trustProxy`. */
export class ClientAddresses {
  readonly #trust: TrustProxy;

  constructor(trust: TrustProxy) {
    this.#trust = trust;
  }

  /**
   * The address that a request comes from: the last one of `X-Forwarded-For` that was added by a trusted proxy, or else that of
   * the connection. What other clients write there does not count. A socket in the file system has no address.
   */
  of({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): string | undefined {
    let { remoteAddress: address } = socket;
    if (!this.#trust(address, 0)) return address;
    const passedOn = [headers['x-forwarded-for'] ?? ''].flat().join(',').split(',').toReversed();
    for (const [hop, text] of passedOn.entries()) {
      const next = this.#trust(address, hop) ? addressIn(text) : undefined;
      if (next === undefined) return address;
      address = next;
    }
    return address;
  }

  /** Has a connection of Engine.IO tell the client's address instead of a proxy's, as long as it has its request. */
  tell(connection: { readonly request: IncomingMessage }): void {
    const { request } = connection;
    const socket = request.socket as Socket | undefined;
    if (socket && this.#trust(socket.remoteAddress, 0))
      Object.assign(connection, { remoteAddress: this.of(request) });
  }

  /** The address that a connection is counted by: none where it is a proxy's, which many clients share. */
  ofConnection({ remoteAddress }: Socket): string | undefined {
    return this.#trust(remoteAddress, 0) ? undefined : remoteAddress;
  }
}

/** Some proxies add the port. */
function addressIn(text: string): string | undefined {
  const [, inBrackets, withoutPort = ''] = /^\s*(?:\[([^\]]+)\](?::\d+)?|(.*?))\s*$/.exec(text) ?? [];
  const address = inBrackets ?? withoutPort.replace(/^([\d.]+):\d+$/, '$1');
  return isIP(address) > 0 ? address : undefined;
}
