import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { notePassedOn } from '../access/tcp-addresses.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { HandshakeParts } from './handshake-parts.ts';
import { acceptNode, handshakeMs, readExactly } from './node-handshake.ts';
import { TlsAcceptor, tlsFirstByte } from './node-tls.ts';
import { addressesOfPassedOn, addressHeaderBytesMax } from './passed-on-head.ts';

/** The connections that may be in the handshake. Beyond it, the oldest is closed. */
const strangersMax = 256;

/** How long an idle connection of another node is kept, in milliseconds. */
const idleMs = 65_000;

/** What serves the requests that other nodes pass on. */
export interface PassedOnRequests {
  /** Whether a request is for the client end. Nothing else is served here. */
  readonly isOurs: (request: IncomingMessage) => boolean;
  readonly request: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface NodePortOptions extends HandshakeParts {
  /** Maximum number of open connections. */
  readonly connectionsMax: number;
}

/**
 * Listens for other nodes only. A connection has to begin with the handshake of nodes, or with that of TLS;
 * the bytes of strangers never reach a parser of HTTP.
 */
export class NodePort {
  readonly #options: NodePortOptions;
  readonly #http = createHttpServer({
    keepAliveTimeout: idleMs,
    maxHeaderSize: fixedLimits.headerBytesMax.value + addressHeaderBytesMax,
    requireHostHeader: false,
  });
  readonly #tcp = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void this.#accept(socket));
  readonly #tls: TlsAcceptor;
  readonly #sockets = new Set<Socket>();
  /** The connections in the handshake, the oldest first. */
  readonly #strangers = new Set<Socket>();

  constructor(options: NodePortOptions) {
    this.#options = options;
    this.#tls = new TlsAcceptor(options, handshakeMs);
    this.limit(options.connectionsMax);
  }

  /** Changes the maximum number of open connections. */
  limit(connectionsMax: number): void {
    this.#tcp.maxConnections = connectionsMax + strangersMax;
  }

  /** From now on, requests that other nodes pass on are served. */
  serve({ isOurs, request: serveRequest, upgrade }: PassedOnRequests): void {
    this.#http.on('request', (request, response) => {
      if (accepts(request, isOurs)) return serveRequest(request, response);
      response.writeHead(403, { connection: 'close' }).end();
    });
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (accepts(request, isOurs)) return upgrade(request, socket, head);
      refuse(socket as Socket);
    });
  }

  /**
   * @param host - undefined listens on all addresses
   * @returns the port
   * @throws Node's error if it cannot listen
   */
  async listen(host: string | undefined, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen({ host, port }, resolve);
    });
    return (this.#tcp.address() as AddressInfo).port;
  }

  /** Closes the port and all its connections. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#tcp.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #accept(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    this.#strangers.add(socket);
    socket.on('error', ignore);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#strangers.delete(socket);
    });
    const [oldest] = this.#strangers.size > strangersMax ? this.#strangers : [];
    if (oldest) {
      this.#strangers.delete(oldest);
      oldest.destroy();
    }
    const timer = setTimeout(() => socket.destroy(), handshakeMs);
    const node = await this.#authenticate(socket).catch(() => undefined);
    clearTimeout(timer);
    this.#strangers.delete(socket);
    if (socket.destroyed) return;
    // The event with which Node's HTTP server takes over a connection.
    if (node) this.#http.emit('connection', node.on('error', ignore));
    else refuse(socket);
  }

  /** @returns the connection to read from and write to; undefined if the caller is a stranger */
  async #authenticate(socket: Socket): Promise<Socket | undefined> {
    const first = await readExactly(socket, 1);
    socket.unshift(first);
    if (first[0] === tlsFirstByte) return this.#tls.accept(socket);
    return (await acceptNode(socket, this.#options)) ? socket : undefined;
  }
}

/** Whether to serve a request. From then on, the request has the addresses that it came with. */
function accepts(request: IncomingMessage, isOurs: PassedOnRequests['isOurs']): boolean {
  const addresses = addressesOfPassedOn(request);
  if (!addresses || !isOurs(request)) return false;
  notePassedOn(request, addresses);
  return true;
}

function refuse(socket: Socket): void {
  socket.on('error', ignore);
  socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () =>
    socket.destroy(),
  );
}

function ignore(): void {}
