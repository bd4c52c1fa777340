import type { Socket } from 'socket.io';
import type { Backlog, Backlogged } from './outbox/backlog.ts';
import { EngineQueue } from './engine-queue.ts';
import type { Flushable, FlushSchedule } from './outbox/flush-schedule.ts';
import type { FrameChains, PieceOf } from './outbox/frame-chain.ts';
import type { Frame } from './outbox/frame.ts';
import {
  cut,
  mayHaveWire,
  writeThroughEngine,
  type Connection,
  type EncodedPacket,
  type PacketOptions,
  type Wires,
} from './internals.ts';
import type { TickCounter } from './tick-counter.ts';
import { WebSocketWriter } from './websocket-writer.ts';

/** One packet for many connections, or several packets for one connection. */
export interface Outgoing {
  readonly packet: EncodedPacket;
  readonly options: PacketOptions;
  /** The packets as WebSocket frames. Undefined if they must be sent through engine.io. */
  readonly frame: Frame | undefined;
  readonly bytes: number;
}

/** The parts that the outboxes of one server share. */
export interface OutboxParts {
  readonly chains: FrameChains;
  readonly ticks: TickCounter;
  readonly schedule: FlushSchedule;
  readonly backlog: Backlog;
  readonly wires: Wires;
  readonly outboxBytesMax: number;
  /**
   * Called in a later turn, when the client of a socket that missed something has read everything that waited
   * for it.
   */
  readonly onDrained: (socket: Socket) => void;
  /** Called if the internals of a connection are not as expected. It is served through engine.io. */
  readonly onUnknown: () => void;
}

/**
 * A message up to this size is always sent to a connection for which nothing waits, even beyond the limit for
 * all connections.
 */
const smallBytes = 65_536;

/**
 * The packets for one connection. Frames are collected, and written together when the connection is flushed.
 * Packets that cannot be sent as frames are sent through engine.io. Both stay in the order in which they were
 * offered.
 */
export class Outbox implements Flushable, Backlogged {
  readonly #connection: Connection;
  readonly #parts: OutboxParts;
  readonly #engine: EngineQueue;
  #transport: Connection['transport'] | undefined;
  /** Undefined while the connection is served through engine.io. */
  #writer: WebSocketWriter | undefined;
  /** Whether a flush of the connection is scheduled. */
  #isScheduled = false;
  /** Whether the connection is slow, so that its waiting bytes count against the limits. */
  #isSlow = false;
  #isClosed = false;
  /** The sockets that missed something. */
  #missed: Set<Socket> | undefined;

  constructor(connection: Connection, parts: OutboxParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#engine = new EngineQueue(connection);
    connection.once('close', () => this.#close());
  }

  /** @returns false if a limit is reached: then nothing was sent, and `onDrained` follows */
  offer(socket: Socket, outgoing: Outgoing): boolean {
    if (this.#isGone) return true;
    const { frame } = outgoing;
    const writer = frame && this.#findWriter();
    if (!this.#takes(socket, writer, outgoing.bytes)) return false;
    if (writer) this.#addFrame(writer, frame);
    else this.#writeThroughEngine(socket, outgoing);
    return true;
  }

  /** @returns false if `offer` would return false; then `onDrained` follows */
  accepts(socket: Socket, { frame, bytes }: Outgoing): boolean {
    return this.#isGone || this.#takes(socket, frame && this.#findWriter(), bytes);
  }

  /** From now on, frames that engine.io sends are collected too, if the connection has a writer. */
  open(): void {
    const { transport } = this.#connection;
    if (transport !== this.#transport) this.#setTransport(transport);
  }

  /**
   * Sends a volatile packet.
   *
   * @returns false if it was dropped because the connection could not take it at once
   */
  offerVolatile(socket: Socket, { packet, options }: Outgoing): boolean {
    if (this.#writer?.isBusy || this.#connection.transport.writable === false) return false;
    writeThroughEngine(socket, packet, options);
    return true;
  }

  /** All bytes that wait for the connection, whether it is slow or not. */
  get waitingBytes(): number {
    return this.#waitingBytes(this.#ownBytes());
  }

  get dueBytes(): number {
    return this.#writer?.pendingBytes ?? 0;
  }

  flush(pieceOf: PieceOf): number {
    this.#isScheduled = false;
    const bytes = this.#writer?.write(pieceOf) ?? 0;
    this.#updateBacklog();
    if (this.#missed && !this.#isSlow) this.#notifyDrained(this.#missed);
    return bytes;
  }

  get progress(): number {
    return this.#writer?.takenBytes ?? this.#engine.drains;
  }

  end(): void {
    cut(this.#connection);
    this.#close();
  }

  /** Finds the writer, if a frame can be sent through it now. */
  #findWriter(): WebSocketWriter | undefined {
    this.open();
    // Packets that engine.io holds must be sent first.
    return this.#writer?.isOpen && this.#connection.writeBuffer?.length === 0 ? this.#writer : undefined;
  }

  #setTransport(transport: Connection['transport']): void {
    this.#transport = transport;
    this.#writer = undefined;
    if (!mayHaveWire(this.#connection)) return;
    const writer = new WebSocketWriter(this.#parts.chains, this.#parts.ticks, () => this.#change());
    if (writer.open(this.#connection, this.#parts.wires)) this.#writer = writer;
    else this.#parts.onUnknown();
  }

  get #isGone(): boolean {
    return this.#isClosed || this.#connection.readyState === 'closed';
  }

  #takes(socket: Socket, writer: WebSocketWriter | undefined, bytes: number): boolean {
    // Frames that are held are not a sign of a slow reader: they count as waiting once the kernel has refused
    // them.
    if (writer && writer.pendingBytes + bytes > this.#parts.outboxBytesMax) {
      writer.write();
      this.#updateBacklog();
    }
    const fits = this.#fits(bytes);
    if (!fits) (this.#missed ??= new Set()).add(socket);
    return fits;
  }

  #fits(bytes: number): boolean {
    const { backlog, outboxBytesMax } = this.#parts;
    if (!this.#isSlow) {
      if (bytes > smallBytes) backlog.evictFor(bytes);
      return true;
    }
    return this.#waitingBytes(this.#ownBytes()) + bytes <= outboxBytesMax && backlog.fits(bytes);
  }

  #addFrame(writer: WebSocketWriter, frame: Frame): void {
    writer.add(frame);
    if (writer.isBlocked) this.#updateBacklog();
    else this.#schedule();
  }

  #writeThroughEngine(socket: Socket, outgoing: Outgoing): void {
    if (!this.#engine.write(socket, outgoing, () => this.#updateBacklog())) this.#parts.onUnknown();
    this.#updateBacklog();
  }

  #schedule(): void {
    if (this.#isScheduled) return this.#parts.schedule.extend();
    this.#isScheduled = true;
    this.#parts.schedule.add(this);
  }

  /** The writer can write again, or has more to write. */
  #change(): void {
    if (this.#writer && !this.#writer.isBlocked && this.#writer.pendingBytes > 0) this.#schedule();
    this.#updateBacklog();
  }

  /** Bytes that wait for this connection alone: in engine.io, in ws and in the stream. */
  #ownBytes(): number {
    return this.#engine.bytes - (this.#writer?.streamBytes ?? 0);
  }

  #waitingBytes(ownBytes: number): number {
    return (this.#writer?.waitingBytes ?? 0) + ownBytes;
  }

  /** Finds out whether the connection is slow. If it is, notes the waiting bytes in the backlog. */
  #updateBacklog(): void {
    const { isBlocked = false, pendingBytes = 0 } = this.#writer ?? {};
    // Frames that are held are a backlog only if there is one already.
    const isSlow = isBlocked || this.#engine.isBusy || (this.#isSlow && pendingBytes > 0);
    if (this.#isClosed || (!isSlow && !this.#isSlow)) return;
    this.#isSlow = isSlow;
    if (isSlow) {
      const ownBytes = this.#ownBytes();
      return this.#parts.backlog.set(this, this.#waitingBytes(ownBytes), ownBytes);
    }
    this.#parts.backlog.delete(this);
    if (this.#missed) this.#schedule();
  }

  #notifyDrained(missed: Set<Socket>): void {
    this.#missed = undefined;
    try {
      for (const socket of missed) {
        missed.delete(socket);
        if (socket.connected) this.#parts.onDrained(socket);
      }
    } finally {
      // The callback is the app's and may throw.
      if (missed.size > 0) {
        this.#missed = missed;
        this.#schedule();
      }
    }
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isSlow = false;
    this.#missed = undefined;
    this.#parts.backlog.delete(this);
    this.#writer?.close();
  }
}
