import type { Server } from 'node:http';
import { connect, Socket } from 'node:net';
import { startListening } from '../../../../test/waits.ts';

/** A connection of a client. Writing and reading are separate, so that the client decides when to look. */
export interface ClientConnection {
  send(bytes: Buffer): void;
  /** Ends the client's side. */
  leave(): void;
  destroy(): void;
  /** All bytes that have come, in latin1. */
  readonly received: string;
  /** Whether the server has ended its side. */
  readonly isEnded: boolean;
}

/** The way from clients to a server. */
export interface Wire {
  open(): ClientConnection;
  /** A server that sends nothing for so many turns of the event loop has done everything. */
  readonly quietTurns: number;
}

/** Opens the way to a server that does not listen yet. */
export type OpenWire = (http: Server) => Promise<Wire>;

/** Connections in memory. In them, bytes take no time, so that every run is the same. */
export const inMemory: OpenWire = async (http) => ({
  open: () => {
    const stream = new ServerSide();
    http.emit('connection', stream);
    return stream;
  },
  quietTurns: 10,
});

/** What a stream is given to write. */
interface Piece {
  readonly chunk: Buffer | string;
  readonly encoding: BufferEncoding;
}

/**
 * The server's side of a connection, and the client's as well. It is a socket without a handle of the kernel:
 * a server uses what sockets of Node have and other streams do not.
 */
class ServerSide extends Socket implements ClientConnection {
  received = '';

  constructor() {
    super({ allowHalfOpen: true });
    this.on('error', () => {});
  }

  send(bytes: Buffer): void {
    if (!this.readableEnded) this.push(bytes);
  }

  leave(): void {
    this.push(null);
  }

  get isEnded(): boolean {
    return this.writableEnded || this.destroyed;
  }

  override _read(): void {}

  override _write(bytes: Buffer | string, encoding: BufferEncoding, done: () => void): void {
    this.#take(bytes, encoding);
    done();
  }

  override _writev(pieces: readonly Piece[], done: () => void): void {
    for (const { chunk, encoding } of pieces) this.#take(chunk, encoding);
    done();
  }

  override _final(done: () => void): void {
    done();
  }

  #take(bytes: Buffer | string, encoding: BufferEncoding): void {
    const taken = typeof bytes === 'string' ? Buffer.from(bytes, encoding) : bytes;
    this.received += taken.toString('latin1');
  }
}

/** TCP connections. The kernel of a busy machine may take longer than a few turns. */
export const overTcp: OpenWire = async (http) => {
  const port = await startListening(http);
  // Without it, small writes would wait for the acknowledgement of the one before.
  const options = { port, host: '127.0.0.1', noDelay: true };
  return { open: () => new TcpClient(connect(options)), quietTurns: 30 };
};

class TcpClient implements ClientConnection {
  received = '';
  isEnded = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    const end = (): void => void (this.isEnded = true);
    socket.setEncoding('latin1').on('data', (text: string) => (this.received += text));
    socket.on('end', end).on('close', end).on('error', end);
  }

  send(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  leave(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
