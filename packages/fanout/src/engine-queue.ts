import type { Socket } from 'socket.io';
import {
  dataBytes,
  holdsPackets,
  isTransportDone,
  sendThroughEngine,
  transportBytes,
  type Connection,
  type EncodedPacket,
  type PacketOptions,
} from './internals.ts';

interface Outgoing {
  readonly packet: EncodedPacket;
  readonly options: PacketOptions;
  readonly bytes: number;
}

/** What engine.io and its transport have to send on one connection. */
export class EngineQueue {
  readonly #connection: Connection;
  /** Undefined once engine.io was found not to buffer as known. */
  #buffered: BufferedBytes | undefined = new BufferedBytes();
  /** Sent since nothing waited. It takes the place of what cannot be read. */
  #sentBytes = 0;
  #isBusy = false;
  #drains = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Whether something was sent that the transport has not given away. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** How often something was taken. */
  get drains(): number {
    return this.#drains;
  }

  get bytes(): number {
    const inTransport = transportBytes(this.#connection);
    if (!this.#buffered || inTransport === undefined) return this.#sentBytes;
    return this.#buffered.count(this.#connection.writeBuffer) + inTransport;
  }

  /**
   * @param onDrained - called whenever something was taken, until nothing waits any more
   * @returns false when engine.io does not buffer as known
   */
  send(socket: Socket, { packet, options, bytes }: Outgoing, onDrained: () => void): boolean {
    this.#sentBytes += bytes;
    // engine.io may be done with the packet before this returns.
    this.#watch(onDrained);
    sendThroughEngine(socket, packet, options);
    // A connection that is closing takes no packet.
    const isTaken = this.#connection.readyState === 'open';
    if (this.#buffered && isTaken && !holdsPackets(this.#connection)) this.#buffered = undefined;
    return this.#buffered !== undefined;
  }

  #watch(onDrained: () => void): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const drained = (): void => {
      this.#isBusy = false;
      this.#drains++;
      // Somebody may have put back a part, or sent more.
      if ((this.#connection.writeBuffer?.length ?? 0) > 0) this.#watch(onDrained);
      else this.#sentBytes = 0;
      onDrained();
    };
    this.#connection.once('drain', () => {
      // To the transport, that is; a websocket may have it waiting still.
      if (isTransportDone(this.#connection)) drained();
      else this.#connection.transport.once('drain', drained);
    });
  }
}

/** Counts the bytes in engine.io's buffer, each packet once. */
class BufferedBytes {
  #buffer: Connection['writeBuffer'] = [];
  #first: unknown;
  #packets = 0;
  #bytes = 0;

  count(buffer: Connection['writeBuffer']): number {
    if (buffer === undefined || buffer.length === 0) return 0;
    // engine.io makes a new buffer when it has given the old one to the transport.
    if (buffer !== this.#buffer || buffer[0] !== this.#first || buffer.length < this.#packets) {
      this.#buffer = buffer;
      this.#first = buffer[0];
      this.#packets = 0;
      this.#bytes = 0;
    }
    for (; this.#packets < buffer.length; this.#packets++) this.#bytes += dataBytes(buffer[this.#packets]);
    return this.#bytes;
  }
}
