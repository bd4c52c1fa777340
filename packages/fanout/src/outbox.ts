import type { Socket } from 'socket.io';
import type { Backlog, Backlogged } from './backlog.ts';
import type { Chains, PieceOf } from './chain.ts';
import { EngineQueue } from './engine-queue.ts';
import type { Frame } from './frame.ts';
import {
  cut,
  mayHaveWire,
  sendThroughEngine,
  type Connection,
  type EncodedPacket,
  type PacketOptions,
  type Wires,
} from './internals.ts';
import { Outlet } from './outlet.ts';
import type { Ticks } from './ticks.ts';
import type { Due, Turns } from './turns.ts';

/** A packet on its way to many connections, or several packets on their way to one. */
export interface Outgoing {
  readonly packet: EncodedPacket;
  readonly options: PacketOptions;
  /** The same as WebSocket frames; undefined when it has to go the ordinary way. */
  readonly frame: Frame | undefined;
  readonly bytes: number;
}

/** What the outboxes of one server share. */
export interface OutboxParts {
  readonly chains: Chains;
  readonly ticks: Ticks;
  readonly turns: Turns;
  readonly backlog: Backlog;
  readonly wires: Wires;
  readonly outboxBytesMax: number;
  /** A socket that missed something: what waited for its connection was taken. Called in a turn of its own. */
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
  readonly #engine: EngineQueue;
  #transport: Connection['transport'] | undefined;
  /** Undefined when the connection is served the ordinary way. */
  #outlet: Outlet | undefined;
  /** Whether its turn is going to come. */
  #isDue = false;
  /** Whether it does not keep up, so that all that waits for it counts. */
  #isBacklogged = false;
  #isClosed = false;
  /** The sockets that missed something. */
  #missed: Set<Socket> | undefined;

  constructor(connection: Connection, parts: OutboxParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#engine = new EngineQueue(connection);
    connection.once('close', () => this.#close());
  }

  /** @returns false when there is no room: then nothing was sent, and `onDrained` follows */
  send(socket: Socket, outgoing: Outgoing): boolean {
    if (this.#isGone) return true;
    const { frame } = outgoing;
    const outlet = frame && this.#findOutlet();
    if (!this.#takes(socket, outlet, outgoing.bytes)) return false;
    if (outlet) this.#collect(outlet, frame);
    else this.#pass(socket, outgoing);
    return true;
  }

  /** @returns false when `send` would find no room; then `onDrained` follows */
  hasRoom(socket: Socket, { frame, bytes }: Outgoing): boolean {
    return this.#isGone || this.#takes(socket, frame && this.#findOutlet(), bytes);
  }

  /** From now on what engine.io sends is collected too, if the connection has the direct way. */
  open(): void {
    const { transport } = this.#connection;
    if (transport !== this.#transport) this.#setTransport(transport);
  }

  /** @returns false when the packet was dropped, for the connection cannot take it at once */
  sendVolatile(socket: Socket, { packet, options }: Outgoing): boolean {
    if (this.#outlet?.isBusy || this.#connection.transport.writable === false) return false;
    sendThroughEngine(socket, packet, options);
    return true;
  }

  /** All that waits for the connection, whether it keeps up or not. */
  get waitingBytes(): number {
    return this.#waitingBytes(this.#ownBytes());
  }

  flush(pieceOf: PieceOf): number {
    this.#isDue = false;
    const bytes = this.#outlet?.write(pieceOf) ?? 0;
    this.#count();
    if (this.#missed && !this.#isBacklogged) this.#tellDrained(this.#missed);
    return bytes;
  }

  get progress(): number {
    return this.#outlet?.takenBytes ?? this.#engine.drains;
  }

  end(): void {
    cut(this.#connection);
    this.#close();
  }

  /** The direct way, if a frame may take it now. */
  #findOutlet(): Outlet | undefined {
    this.open();
    // What engine.io holds was sent before.
    return this.#outlet?.isOpen && this.#connection.writeBuffer?.length === 0 ? this.#outlet : undefined;
  }

  #setTransport(transport: Connection['transport']): void {
    this.#transport = transport;
    this.#outlet = undefined;
    if (!mayHaveWire(this.#connection)) return;
    const outlet = new Outlet(this.#parts.chains, this.#parts.ticks, () => this.#change());
    if (outlet.open(this.#connection, this.#parts.wires)) this.#outlet = outlet;
    else this.#parts.onUnknown();
  }

  get #isGone(): boolean {
    return this.#isClosed || this.#connection.readyState === 'closed';
  }

  #takes(socket: Socket, outlet: Outlet | undefined, bytes: number): boolean {
    // What was only collected in this turn is no sign of a slow reader: offer it before counting it as waiting.
    if (outlet && outlet.pendingBytes + bytes > this.#parts.outboxBytesMax) {
      outlet.write();
      this.#count();
    }
    const isRoom = this.#isRoomFor(bytes);
    if (!isRoom) (this.#missed ??= new Set()).add(socket);
    return isRoom;
  }

  #isRoomFor(bytes: number): boolean {
    const { backlog, outboxBytesMax } = this.#parts;
    if (!this.#isBacklogged) {
      if (bytes > smallBytes) backlog.makeRoom(bytes);
      return true;
    }
    return this.#waitingBytes(this.#ownBytes()) + bytes <= outboxBytesMax && backlog.hasRoom(bytes);
  }

  #collect(outlet: Outlet, frame: Frame): void {
    outlet.collect(frame);
    if (outlet.isBlocked) this.#count();
    else this.#becomeDue();
  }

  #pass(socket: Socket, outgoing: Outgoing): void {
    if (!this.#engine.send(socket, outgoing, () => this.#count())) this.#parts.onUnknown();
    this.#count();
  }

  #becomeDue(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#parts.turns.add(this);
  }

  /** The outlet can write again, or has more to write. */
  #change(): void {
    if (this.#outlet && !this.#outlet.isBlocked && this.#outlet.pendingBytes > 0) this.#becomeDue();
    this.#count();
  }

  /** What waits for this connection alone: in engine.io, in ws, in the stream. */
  #ownBytes(): number {
    return this.#engine.bytes - (this.#outlet?.streamBytes ?? 0);
  }

  #waitingBytes(ownBytes: number): number {
    return (this.#outlet?.waitingBytes ?? 0) + ownBytes;
  }

  /** Finds whether the connection keeps up, and tells the backlog what waits if it does not. */
  #count(): void {
    const { isBlocked = false, pendingBytes = 0 } = this.#outlet ?? {};
    // What was collected in this turn is a backlog only behind one.
    const isBehind = isBlocked || this.#engine.isBusy || (this.#isBacklogged && pendingBytes > 0);
    if (this.#isClosed || (!isBehind && !this.#isBacklogged)) return;
    this.#isBacklogged = isBehind;
    if (isBehind) {
      const ownBytes = this.#ownBytes();
      return this.#parts.backlog.set(this, this.#waitingBytes(ownBytes), ownBytes);
    }
    this.#parts.backlog.delete(this);
    if (this.#missed) this.#becomeDue();
  }

  #tellDrained(missed: Set<Socket>): void {
    this.#missed = undefined;
    try {
      for (const socket of missed) {
        missed.delete(socket);
        if (socket.connected) this.#parts.onDrained(socket);
      }
    } finally {
      // The callback is the app's, and may throw.
      if (missed.size > 0) {
        this.#missed = missed;
        this.#becomeDue();
      }
    }
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isBacklogged = false;
    this.#missed = undefined;
    this.#parts.backlog.delete(this);
    this.#outlet?.close();
  }
}
