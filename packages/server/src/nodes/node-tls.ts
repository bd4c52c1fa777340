import { constants, createHmac } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from 'node:tls';
import type { HandshakeParts } from './handshake-parts.ts';
import type { HostPort } from './host-port.ts';

/*
 * TLS between nodes, with the key of the nodes as a pre-shared key (RFC 4279, RFC 5489). Nobody needs
 * certificates, and the handshake of TLS proves to each end that the other one knows the key. A key that
 * leaks later does not decrypt what was recorded: each connection has a Diffie-Hellman exchange of its own.
 *
 * It is TLS 1.2, because none of its handshakes with this cipher suite has a certificate. In TLS 1.3, a
 * server can ignore the key and send a certificate.
 */

const settings: SecureContextOptions = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  // No session is resumed, and no authority is asked.
  secureOptions: constants.SSL_OP_NO_TICKET,
  ca: [],
};

let context: SecureContext | undefined;

/**
 * One for all connections: Node would make another for each. It is made when it is needed first, because it
 * fails with a Node that does not have the cipher suite.
 */
function secureContext(): SecureContext {
  return (context ??= createSecureContext(settings));
}

/** The first byte of each connection with TLS. The handshake of nodes without TLS begins with another one. */
export const tlsFirstByte = 0x16;

/** Names the protocol and its version. */
const identity = 'fanfare1';

/** The key for a listener. A caller notices if another node listens at its address by now. */
function pskOf({ key, listenerId }: HandshakeParts): Buffer {
  return createHmac('sha256', key).update(`tls ${listenerId}`).digest();
}

/** Begins a connection to another node. It is authenticated after the event `secureConnect`. */
export function startTls(address: HostPort, parts: HandshakeParts): TLSSocket {
  return connect({
    ...address,
    secureContext: secureContext(),
    // There is no certificate.
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk: pskOf(parts), identity }),
  }).setNoDelay(true);
}

/** Accepts connections of other nodes with TLS. */
export class TlsAcceptor {
  readonly #waiting = new Map<string, (secure: TLSSocket) => void>();
  readonly #parts: HandshakeParts;
  readonly #handshakeTimeout: number;
  #server: Server | undefined;

  /** @param handshakeMs - how long a handshake can take, in milliseconds */
  constructor(parts: HandshakeParts, handshakeMs: number) {
    this.#parts = parts;
    this.#handshakeTimeout = handshakeMs;
  }

  /**
   * Checks that the caller of a TCP connection is a node of the same Fanfare.
   *
   * @returns the connection to read from and write to; undefined if the caller is a stranger
   */
  async accept(socket: Socket): Promise<TLSSocket | undefined> {
    if (socket.destroyed) return undefined;
    const server = (this.#server ??= this.#createServer());
    const peer = peerOf(socket);
    return new Promise((resolve) => {
      this.#waiting.set(peer, resolve);
      socket.once('close', () => {
        this.#waiting.delete(peer);
        resolve(undefined);
      });
      // The documented way to give a connection to a server of TLS.
      server.emit('connection', socket);
    });
  }

  #createServer(): Server {
    const pskCallback = (): Buffer => pskOf(this.#parts);
    const options = { ...settings, handshakeTimeout: this.#handshakeTimeout, pskCallback };
    return createServer(options, (secure) => this.#waiting.get(peerOf(secure))?.(secure));
  }
}

/** TLS has a socket of its own. The address of the caller tells to which connection it belongs. */
function peerOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}
