import type { Socket } from 'socket.io';
import type { Backlog, Backlogged } from './backlog.ts';
import type { Chains, PieceOf } from './chain.ts';
import type { Frame } from './frame.ts';
import {
  cut,
  mayHaveWire,
  sendThroughEngine,
  transportBytes,
  type Connection,
  type EncodedPacket,
  type PacketOptions,
  type Wires,
} from './internals.ts';
import { Outlet } from './outlet.ts';
import type { Due, Turns } from './turns.ts';

/** A packet on its way to many connections. */
export interface Outgoing {
  readonly packet: EncodedPacket;
  readonly options: PacketOptions;
  /** The packet as a WebSocket frame; undefined when it has to go the ordinary way. */
  readonly frame: Frame | undefined;
  readonly bytes: number;
}

/** What the outboxes of one server share. */
export interface OutboxParts {
  readonly chains: Chains;
  readonly turns: Turns;
  readonly backlog: Backlog;
  readonly wires: Wires;
  readonly outboxBytesMax: number;
  /** A socket that something was refused for has room again. */
  readonly onDrained: (socket: Socket) => void;
  /** The inside of a connection is not as known; it is served the ordinary way. */
  readonly onUnknown: () => void;
}

/** Up to this size a message goes to a connection for which nothing waits, whatever waits for all the others. */
const smallBytes = 65_536;

/**
 * What is due to one connection. Frames are collected, and written together when the connection's turn comes;
 * what cannot go that way goes through engine.io. Both stay in the order in which they were sent.
 */
export class Outbox implements Due, Backlogged {
  readonly #connection: Connection;
  readonly #parts: OutboxParts;
  #transport: Connection['transport'] | undefined;
  /** Undefined when the connection is served the ordinary way. */
  #outlet: Outlet | undefined;
  /** Whether its turn is going to come. */
  #isDue = false;
  /** Whether engine.io holds packets that it cannot give to the transport yet. */
  #isHeld = false;
  /** Whether the backlog counts what waits for the connection. */
  #isBacklogged = false;
  #isWatched = false;
  #isClosed = false;
  #refused: Set<Socket> | undefined;
  #held: HeldBytes | undefined;
  #drains = 0;

  constructor(connection: Connection, parts: OutboxParts) {
    this.#connection = connection;
    this.#parts = parts;
  }

  /** @returns false when there is no room: then nothing was sent, and `onDrained` follows once there is room again */
  send(socket: Socket, outgoing: Outgoing): boolean {
    const { frame } = outgoing;
    const outlet = frame && this.#findOutlet();
    const isSent = outlet ? this.#collect(outlet, frame) : this.#pass(socket, outgoing);
    if (!isSent) this.#refuse(socket);
    return isSent;
  }

  /** Whether something waits that was sent before. */
  get isBusy(): boolean {
    return this.#outlet !== undefined && this.#outlet.waitingBytes > 0;
  }

  flush(pieceOf: PieceOf): number {
    this.#isDue = false;
    return this.#write(pieceOf);
  }

  get takenBytes(): number {
    return this.#outlet?.takenBytes ?? this.#drains;
  }

  end(): void {
    cut(this.#connection);
    this.#close();
  }

  /** The direct way, if a frame may take it now. */
  #findOutlet(): Outlet | undefined {
    const { transport, writeBuffer } = this.#connection;
    if (transport !== this.#transport) this.#setTransport(transport);
    // What engine.io holds was sent before.
    return writeBuffer.length === 0 && this.#outlet?.isOpen ? this.#outlet : undefined;
  }

  #setTransport(transport: Connection['transport']): void {
    this.#transport = transport;
    this.#outlet = undefined;
    if (!mayHaveWire(this.#connection)) return;
    const outlet = new Outlet(this.#parts.chains, () => this.#change());
    if (outlet.open(this.#connection, this.#parts.wires)) this.#outlet = outlet;
    else this.#parts.onUnknown();
  }

  #collect(outlet: Outlet, frame: Frame): boolean {
    const { length } = frame.buffer;
    // What was only collected in this turn is no sign of a slow reader: offer it before counting it as waiting.
    if (outlet.pendingBytes + length > this.#parts.outboxBytesMax) this.#write();
    if (!this.#hasRoom(length)) return false;
    outlet.collect(frame);
    if (outlet.isBlocked) this.#count();
    else this.#becomeDue();
    return true;
  }

  #pass(socket: Socket, { packet, options, bytes }: Outgoing): boolean {
    if (!this.#hasRoom(bytes)) return false;
    sendThroughEngine(socket, packet, options);
    if (this.#connection.writeBuffer.length > 0) this.#hold();
    return true;
  }

  #hasRoom(bytes: number): boolean {
    const { backlog, outboxBytesMax } = this.#parts;
    if (!this.#isBacklogged) {
      if (bytes > smallBytes) backlog.makeRoom(bytes);
      return true;
    }
    return this.#waitingBytes() + bytes <= outboxBytesMax && backlog.hasRoom(bytes);
  }

  #refuse(socket: Socket): void {
    (this.#refused ??= new Set()).add(socket);
  }

  #becomeDue(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#parts.turns.add(this);
  }

  #write(pieceOf?: PieceOf): number {
    const bytes = this.#outlet?.write(pieceOf) ?? 0;
    if (this.#isBacklogged || this.#outlet?.isBlocked) this.#count();
    return bytes;
  }

  #change(): void {
    if (this.#outlet && !this.#outlet.isBlocked && this.#outlet.pendingBytes > 0) this.#becomeDue();
    this.#count();
  }

  #hold(): void {
    if (!this.#isHeld) {
      this.#isHeld = true;
      this.#connection.once('drain', () => {
        this.#isHeld = false;
        this.#drains++;
        this.#count();
      });
    }
    this.#count();
  }

  /** What waits for this connection alone: in engine.io, in ws, in the stream. */
  #ownBytes(): number {
    const { writeBuffer } = this.#connection;
    const held = writeBuffer.length === 0 ? 0 : (this.#held ??= new HeldBytes()).count(writeBuffer);
    return held + transportBytes(this.#connection);
  }

  #waitingBytes(): number {
    return (this.#outlet?.waitingBytes ?? 0) + this.#ownBytes();
  }

  /** Tells the backlog what waits. What is less than a stream's buffer, and blocks nothing, is not counted. */
  #count(): void {
    const { isBlocked = false, pendingBytes = 0 } = this.#outlet ?? {};
    this.#isBacklogged = !this.#isClosed && (isBlocked || pendingBytes > 0 || this.#isHeld);
    if (!this.#isBacklogged) {
      this.#parts.backlog.set(this, 0, 0);
      return this.#tellDrained();
    }
    this.#parts.backlog.set(this, this.#waitingBytes(), this.#ownBytes());
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#connection.once('close', () => this.#close());
  }

  #tellDrained(): void {
    const refused = this.#refused;
    this.#refused = undefined;
    for (const socket of refused ?? []) this.#parts.onDrained(socket);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#refused = undefined;
    this.#isBacklogged = false;
    this.#parts.backlog.set(this, 0, 0);
    this.#outlet?.close();
  }
}

/** Counts the bytes in engine.io's buffer, each packet once. */
class HeldBytes {
  #buffer: Connection['writeBuffer'] = [];
  #packets = 0;
  #bytes = 0;

  count(buffer: Connection['writeBuffer']): number {
    // engine.io makes a new buffer when it has given the old one to the transport.
    if (buffer !== this.#buffer || buffer.length < this.#packets) {
      this.#buffer = buffer;
      this.#packets = 0;
      this.#bytes = 0;
    }
    for (; this.#packets < buffer.length; this.#packets++) {
      const data = buffer[this.#packets]?.data;
      if (data !== undefined) this.#bytes += Buffer.byteLength(data);
    }
    return this.#bytes;
  }
}
