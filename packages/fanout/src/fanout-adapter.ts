import type { Server, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import { Backlog } from './backlog.ts';
import { Chains } from './chain.ts';
import { DirectWrites } from './direct-writes.ts';
import { Frame, HeldFrames } from './frame.ts';
import {
  connectionOf,
  encodeAll,
  encodeOnce,
  engineBytes,
  mayHaveWire,
  notifyOutgoing,
  onBurst,
  wantsRecovery,
  Wires,
  type Connection,
  type EncodedPacket,
  type PacketOptions,
} from './internals.ts';
import { Outbox, type Outgoing, type OutboxParts } from './outbox.ts';
import { Receivers, type Receiver } from './receivers.ts';
import { textFrames } from './text-frames.ts';
import { Ticks } from './ticks.ts';
import { Turns } from './turns.ts';
import { proveDirectWrites } from './write-trial.ts';

/** What becomes of a message for which a connection has no room. */
export type Overflow = 'drop' | 'disconnect';

export interface FanoutOptions {
  /** The most bytes that may wait for one connection; a message larger than that still goes to one for which nothing waits. 1 MiB by default. */
  readonly outboxBytesMax?: number;
  /** The most bytes that may wait for all connections together. 256 MiB by default. */
  readonly outboxTotalBytesMax?: number;
  /** A connection for which something waits, and which takes nothing for this long, is ended. 30 seconds by default. */
  readonly stallTimeoutMs?: number;
  /**
   * Decides about a broadcast that one of the bounds leaves no room for. By default the connection is ended, for
   * its client would else miss a message and not know. Called once, however many of the rooms the socket is in.
   *
   * @param rooms - all rooms of the broadcast; empty when it is for everybody
   * @param data - the event's name and its arguments: the very values that were broadcast
   */
  readonly onOverflow?: (socket: Socket, rooms: ReadonlySet<string>, data: readonly unknown[]) => Overflow;
  /** A socket for which something was dropped, or refused to `sendAll`, has taken all that waited. */
  readonly onDrained?: (socket: Socket) => void;
}

/** An event's name and its arguments; an acknowledgement cannot be asked for. */
export type OutgoingEvent = readonly [event: string, ...args: unknown[]];

/** What the namespaces of one Socket.IO server share: a connection may be in several. */
interface Shared {
  readonly parts: OutboxParts;
  readonly outboxes: WeakMap<Connection, Outbox>;
}

/** Socket.IO's `Namespace`, as far as an adapter needs it. */
interface Namespace {
  readonly name: string;
  readonly server: Server;
  readonly sockets: ReadonlyMap<string, Socket>;
}

/**
 * An adapter for Socket.IO's option `adapter` that gives every websocket one write for all that was broadcast in a
 * turn of the event loop, and bounds what waits for connections that do not read. All else is as with
 * Socket.IO's own in-memory adapter.
 */
export function fanoutAdapter(options: FanoutOptions = {}): typeof Adapter {
  const servers = new WeakMap<Server, Shared>();
  return class extends FanoutAdapter {
    constructor(namespace: unknown) {
      const { server } = namespace as Namespace;
      let shared = servers.get(server);
      if (shared === undefined) servers.set(server, (shared = share(options)));
      super(namespace as Namespace, shared, options);
    }
  };
}

function share(options: FanoutOptions): Shared {
  const {
    outboxBytesMax = 1_048_576,
    outboxTotalBytesMax = 268_435_456,
    stallTimeoutMs = 30_000,
    onDrained = () => {},
  } = options;
  let isWarned = false;
  const onUnknown = (): void => {
    if (!isWarned) warn('FANOUT_UNKNOWN_ENGINE', unknownEngine);
    isWarned = true;
  };
  const frames = new HeldFrames();
  const sharedBytes = (): number => frames.bytes;
  const backlog = new Backlog({ outboxTotalBytesMax, stallTimeoutMs, sharedBytes });
  const direct = new DirectWrites();
  // Until that is proven, and if it is not, writes go through the streams of the sockets.
  proveDirectWrites().then(
    (call) => direct.use(call),
    ({ message }: Error) => warn('FANOUT_UNKNOWN_NODE', unknownNode(message)),
  );
  const parts = {
    chains: new Chains(frames),
    ticks: new Ticks(),
    turns: new Turns(),
    backlog,
    wires: new Wires(direct, frames),
    outboxBytesMax,
    onDrained,
    onUnknown,
  };
  return { parts, outboxes: new WeakMap() };
}

const unknownEngine =
  'This version of engine.io or ws, or this wsEngine, is not known to @fanfare/fanout. ' +
  'Broadcasts go through engine.io instead: the deliveries are the same, and take more CPU time.';

function unknownNode(reason: string): string {
  return (
    `Direct writes to sockets do not work on Node ${process.version}: ${reason}. ` +
    '@fanfare/fanout writes through their streams instead: the deliveries are the same, and take more CPU time.'
  );
}

const noRecovery =
  'Connection state recovery does not work with @fanfare/fanout: no connection will be recovered.';

function warn(code: string, message: string): void {
  process.emitWarning(message, { code });
}

/** Whether an adapter (`socket.nsp.adapter`, for example) is one of {@link fanoutAdapter}'s. */
export function isFanoutAdapter(adapter: unknown): adapter is FanoutAdapter {
  return adapter instanceof FanoutAdapter;
}

/** How many bytes wait for the connection of a socket, whatever its adapter is. */
export function waitingBytesOf(socket: Socket): number {
  const { adapter } = socket.nsp;
  return isFanoutAdapter(adapter) ? adapter.waitingBytesOf(socket) : engineBytes(connectionOf(socket));
}

/** What {@link fanoutAdapter} makes for each namespace. */
export class FanoutAdapter extends Adapter {
  readonly #parts: OutboxParts;
  readonly #outboxes: WeakMap<Connection, Outbox>;
  readonly #onOverflow: NonNullable<FanoutOptions['onOverflow']>;
  readonly #receivers: Receivers;
  #collectsBursts = false;

  constructor(namespace: Namespace, { parts, outboxes }: Shared, { onOverflow }: FanoutOptions) {
    super(namespace);
    this.#parts = parts;
    this.#outboxes = outboxes;
    this.#onOverflow = onOverflow ?? (() => 'disconnect');
    this.#receivers = new Receivers(this, (connection) => this.#outboxOf(connection));
    if (wantsRecovery(namespace.server)) warn('FANOUT_NO_RECOVERY', noRecovery);
  }

  override addAll(id: string, rooms: Set<string>): Promise<void> | void {
    if (!this.sids.has(id)) {
      this.#receivers.forgetEverybody();
      this.#collectBursts();
    }
    for (const room of rooms) this.#receivers.forgetRoom(room);
    return super.addAll(id, rooms);
  }

  override del(id: string, room: string): Promise<void> | void {
    this.#receivers.forgetRoom(room);
    return super.del(id, room);
  }

  override delAll(id: string): void {
    this.#receivers.forgetEverybody();
    for (const room of this.sids.get(id) ?? []) this.#receivers.forgetRoom(room);
    super.delAll(id);
  }

  /** @returns to how many sockets it was sent: not to those that there was no room for */
  override broadcast(packet: { nsp?: string; data?: unknown }, options: BroadcastOptions): number {
    const { volatile, compress } = options.flags ?? {};
    const packetOptions: PacketOptions = { preEncoded: true, volatile, compress };
    packet.nsp = (this.nsp as Namespace).name;
    const encoded = encodeOnce(this, packet, packetOptions);
    const parts = packetOptions.wsPreEncodedFrame;
    const frame = parts && new Frame(Buffer.concat(parts));
    const outgoing: Outgoing = {
      packet: encoded,
      options: packetOptions,
      frame,
      bytes: frame?.buffer.length ?? bytesOf(encoded),
    };
    let sent = 0;
    try {
      for (const receiver of this.#receivers.of(options)) {
        if (this.#send(receiver, packet, outgoing, options)) sent++;
      }
    } finally {
      // A listener of the app's may have thrown.
      this.#parts.chains.settle();
    }
    return sent;
  }

  /**
   * How many bytes wait for connections that do not keep up, of all namespaces; what waits for several counts once.
   */
  get waitingBytes(): number {
    return this.#parts.backlog.bytes;
  }

  /** How many bytes wait for the connection of a socket. */
  waitingBytesOf(socket: Socket): number {
    const connection = connectionOf(socket);
    return this.#outboxes.get(connection)?.waitingBytes ?? engineBytes(connection);
  }

  /**
   * Sends several events to one socket of this namespace as one piece, in order with all else that is sent to it.
   * A connection for which nothing waits has room for them whatever their size, else they have to fit the
   * bounds together. `onOverflow` is not asked.
   *
   * @returns false when there is no room: then nothing was sent, and `onDrained` follows
   */
  sendAll(socket: Socket, events: readonly OutgoingEvent[]): boolean {
    if (!socket.connected || events.length === 0) return true;
    const outbox = this.#outboxOf(connectionOf(socket));
    const outgoing = bundle(socket, encodeAll(this, socket.nsp.name, events));
    if (socket.listenersAnyOutgoing().length > 0) {
      // They are told what is sent, and not what will be tried again.
      if (!outbox.hasRoom(socket, outgoing)) return false;
      for (const data of events) notifyOutgoing(socket, { data });
      if (!socket.connected) return true;
    }
    try {
      return outbox.send(socket, outgoing);
    } finally {
      this.#parts.chains.settle();
    }
  }

  /** Many acknowledgements to one client, say, are one write as well. */
  #collectBursts(): void {
    if (this.#collectsBursts) return;
    this.#collectsBursts = true;
    onBurst((this.nsp as Namespace).server, (connection) => {
      if (mayHaveWire(connection)) this.#outboxOf(connection).open();
    });
  }

  #send(
    { socket, outbox }: Receiver,
    packet: { readonly data?: unknown },
    outgoing: Outgoing,
    { rooms }: BroadcastOptions,
  ): boolean {
    // One before it in this broadcast may have had it disconnected.
    if (!socket.connected) return false;
    notifyOutgoing(socket, packet);
    if (outgoing.options.volatile) return outbox.sendVolatile(socket, outgoing);
    if (outbox.send(socket, outgoing)) return true;
    const data = Array.isArray(packet.data) ? (packet.data as readonly unknown[]) : [];
    if (this.#onOverflow(socket, rooms, data) === 'disconnect') outbox.end();
    return false;
  }

  #outboxOf(connection: Connection): Outbox {
    let outbox = this.#outboxes.get(connection);
    if (outbox === undefined) {
      outbox = new Outbox(connection, this.#parts);
      this.#outboxes.set(connection, outbox);
    }
    return outbox;
  }
}

/** Several packets to one socket, as one. */
function bundle(socket: Socket, packet: EncodedPacket): Outgoing {
  const options: PacketOptions = { preEncoded: true };
  const isText = (part: string | Buffer): part is string => typeof part === 'string';
  if (mayHaveWire(connectionOf(socket)) && packet.every(isText)) {
    const frame = new Frame(textFrames(packet));
    return { packet, options, frame, bytes: frame.buffer.length };
  }
  return { packet, options, frame: undefined, bytes: bytesOf(packet) };
}

function bytesOf(packet: EncodedPacket): number {
  return packet.reduce((bytes, part) => bytes + Buffer.byteLength(part), 0);
}
