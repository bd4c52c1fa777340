import type { Socket } from 'socket.io';
import {
  dataBytes,
  holdsPackets,
  isTransportDone,
  writeThroughEngine,
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

/** The packets that engine.io and its transport have to send on one connection. */
export class EngineQueue {
  readonly #connection: Connection;
  /** Undefined after engine.io was found to buffer in an unexpected way. */
  #buffered: BufferedBytes | undefined = new BufferedBytes();
  /** Bytes written since the queue was empty. It is used where engine.io's own buffers cannot be read. */
  #writtenBytes = 0;
  #isBusy = false;
  #drains = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Whether packets still wait in the transport. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** The number of times that the transport has passed packets on. */
  get drains(): number {
    return this.#drains;
  }

  get bytes(): number {
    const inTransport = transportBytes(this.#connection);
    if (!this.#buffered || inTransport === undefined) return this.#writtenBytes;
    return this.#buffered.count(this.#connection.writeBuffer) + inTransport;
  }

  /**
   * @param onDrained - called whenever the transport has passed packets on, until nothing waits
   * @returns false if engine.io buffers in an unexpected way
   */
  write(socket: Socket, { packet, options, bytes }: Outgoing, onDrained: () => void): boolean {
    this.#writtenBytes += bytes;
    // engine.io may pass on the packet before this returns.
    this.#watch(onDrained);
    writeThroughEngine(socket, packet, options);
    // A closing connection does not take packets.
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
      // A listener may have put back a part, or sent more.
      if ((this.#connection.writeBuffer?.length ?? 0) > 0) this.#watch(onDrained);
      else this.#writtenBytes = 0;
      onDrained();
    };
    this.#connection.once('drain', () => {
      // The packets are with the transport. A websocket may still hold them.
      if (isTransportDone(this.#connection)) drained();
      else this.#connection.transport.once('drain', drained);
    });
  }
}

/** Counts the bytes in engine.io's buffer. It looks at each packet once. */
class BufferedBytes {
  #buffer: Connection['writeBuffer'] = [];
  #first: unknown;
  #packets = 0;
  #bytes = 0;

  count(buffer: Connection['writeBuffer']): number {
    if (buffer === undefined || buffer.length === 0) return 0;
    // engine.io makes a new buffer after it has given the old one to the transport.
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
