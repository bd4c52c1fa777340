import type { Socket } from 'socket.io';
import type { Backlog, Backlogged } from './backlog.ts';
import { join, type Chain, type Chains } from './chain.ts';
import {
  cut,
  mayHaveWire,
  sendThroughEngine,
  transportBytes,
  type Connection,
  type EncodedPacket,
  type PacketOptions,
  type Wire,
  type Wires,
} from './internals.ts';
import type { Due, Turns } from './turns.ts';

/** A packet on its way to many connections. */
export interface Outgoing {
  readonly packet: EncodedPacket;
  readonly options: PacketOptions;
  /** The packet as a WebSocket frame; undefined when it has to go the ordinary way. */
  readonly frame: Buffer | undefined;
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
  readonly #empty: Chain;
  #transport: Connection['transport'] | undefined;
  #wire: Wire | undefined;
  #chain: Chain;
  /** Whether its turn is going to come. */
  #isDue = false;
  /** Whether the kernel has to take something before more is written. */
  #isBlocked = false;
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
    this.#empty = parts.chains.empty;
    this.#chain = this.#empty;
  }

  /** @returns false when there is no room: then nothing was sent, and `onDrained` follows once there is room again */
  send(socket: Socket, outgoing: Outgoing): boolean {
    const { frame } = outgoing;
    const isSent =
      frame !== undefined && this.#mayCollect() ? this.#collect(frame) : this.#pass(socket, outgoing);
    if (!isSent) this.#refuse(socket);
    return isSent;
  }

  /** Whether something waits that was sent before. */
  get isBusy(): boolean {
    return this.#chain !== this.#empty || this.#isBlocked;
  }

  flush(joinFrames: (chain: Chain) => Buffer): number {
    this.#isDue = false;
    return this.#isBlocked ? 0 : this.#write(joinFrames);
  }

  get takenBytes(): number {
    return this.#wire?.writer.takenBytes ?? this.#drains;
  }

  end(): void {
    cut(this.#connection);
    this.#close();
  }

  #mayCollect(): boolean {
    const { transport, writeBuffer } = this.#connection;
    if (transport !== this.#transport) this.#setTransport(transport);
    if (this.#wire === undefined || writeBuffer.length > 0) return false;
    return this.#chain !== this.#empty || this.#wire.isOpen;
  }

  #setTransport(transport: Connection['transport']): void {
    this.#transport = transport;
    this.#wire = undefined;
    if (!mayHaveWire(this.#connection)) return;
    this.#wire = this.#parts.wires.take(this.#connection, () => this.#write(join));
    if (this.#wire === undefined) this.#parts.onUnknown();
  }

  #collect(frame: Buffer): boolean {
    const { chains, outboxBytesMax } = this.#parts;
    const isOver = this.#chain.bytes + frame.length > outboxBytesMax;
    // What was only collected in this turn is no sign of a slow reader: offer it before counting it as waiting.
    if (isOver && !this.#isBlocked) this.#write(join);
    if (!this.#hasRoom(frame.length)) return false;
    this.#chain = chains.extend(this.#chain, frame);
    if (this.#isBlocked) this.#count();
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

  #write(joinFrames: (chain: Chain) => Buffer): number {
    const chain = this.#chain;
    const wire = this.#wire;
    if (chain === this.#empty || wire === undefined) return 0;
    this.#chain = this.#empty;
    wire.writer.write(joinFrames(chain));
    this.#parts.chains.leave(chain);
    if (!this.#isBlocked && wire.writer.isBlocked) {
      this.#isBlocked = true;
      wire.writer.onceDrained(() => this.#unblock());
    }
    if (this.#isBlocked || this.#isBacklogged) this.#count();
    return chain.bytes;
  }

  #unblock(): void {
    this.#isBlocked = false;
    if (this.#chain !== this.#empty) this.#becomeDue();
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
    return this.#chain.bytes + (this.#wire?.writer.inFlightBytes ?? 0) + this.#ownBytes();
  }

  /** Tells the backlog what waits. What is less than a stream's buffer, and blocks nothing, is not counted. */
  #count(): void {
    const isWaiting = this.#isBlocked || this.#isHeld || this.#chain !== this.#empty;
    this.#isBacklogged = isWaiting && !this.#isClosed;
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
    this.#isClosed = true;
    this.#parts.chains.leave(this.#chain);
    this.#chain = this.#empty;
    this.#refused = undefined;
    this.#isBacklogged = false;
    this.#parts.backlog.set(this, 0, 0);
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
