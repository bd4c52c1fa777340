import type { Server, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import { Backlog } from './outbox/backlog.ts';
import { FrameChains } from './outbox/frame-chain.ts';
import { DirectWrites } from './outbox/direct-writes.ts';
import { Frame, HeldFrames } from './outbox/frame.ts';
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
import { encodeTextFrames } from './outbox/websocket-frames.ts';
import { TickCounter } from './tick-counter.ts';
import { FlushSchedule } from './outbox/flush-schedule.ts';
import { proveDirectWrites } from './outbox/write-trial.ts';

/** What to do with a message that exceeds a limit of a connection. */
export type Overflow = 'drop' | 'disconnect';

export interface FanoutOptions {
  /**
   * Maximum number of bytes that wait for one connection. 1 MiB by default. A larger message is still sent to
   * a connection for which nothing waits.
   */
  readonly outboxBytesMax?: number;
  /** Maximum number of bytes that wait for all connections together. 256 MiB by default. */
  readonly outboxTotalBytesMax?: number;
  /**
   * Stall timeout: ends a connection whose client reads nothing for this time, while data waits. 30 seconds
   * by default.
   */
  readonly stallTimeoutMs?: number;
  /**
   * Decides about a broadcast that exceeds a limit. By default the connection is ended, because its client
   * would otherwise miss a message without knowing it. Called once for each socket, even if it is in several
   * of the rooms.
   *
   * @param rooms - all rooms of the broadcast; empty if it is for all sockets
   * @param data - the event's name and its arguments: the same values that were broadcast
   */
  readonly onOverflow?: (socket: Socket, rooms: ReadonlySet<string>, data: readonly unknown[]) => Overflow;
  /**
   * Called when a client has read everything that waited, after a broadcast to it was dropped or `sendAll`
   * returned false. The adapter also emits the event `drained` with the socket.
   */
  readonly onDrained?: (socket: Socket) => void;
}

/** The name of an event and its arguments. It cannot ask for an acknowledgement. */
export type OutgoingEvent = readonly [event: string, ...args: unknown[]];

/** The parts that the namespaces of one Socket.IO server share, because a connection may be in several. */
interface Shared {
  readonly parts: OutboxParts;
  readonly outboxes: WeakMap<Connection, Outbox>;
}

/** The part of Socket.IO's `Namespace` that an adapter needs. */
interface Namespace {
  readonly name: string;
  readonly server: Server;
  readonly sockets: ReadonlyMap<string, Socket>;
}

/**
 * Makes an adapter for Socket.IO's option `adapter`. It collects the broadcasts of a few turns of the event
 * loop, for a millisecond at most, and makes one write of them for each websocket. It limits the bytes that
 * wait for connections that do not read. In all other respects, it behaves like Socket.IO's own in-memory
 * adapter.
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
  const warned = new Set<string>();
  const warnOnce = (code: string, message: string): void => {
    if (!warned.has(code)) warn(code, message);
    warned.add(code);
  };
  const onUnknown = (): void => warnOnce('FANOUT_UNKNOWN_ENGINE', unknownEngine);
  const frames = new HeldFrames((reason) => warnOnce('FANOUT_MISCOUNT', miscount(reason)));
  const sharedBytes = (): number => frames.bytes;
  const backlog = new Backlog({ outboxTotalBytesMax, stallTimeoutMs, sharedBytes });
  const direct = new DirectWrites();
  // Until the proof, and without it, writes go through the streams of the sockets.
  proveDirectWrites().then(
    (call) => direct.use(call),
    ({ message }: Error) => warn('FANOUT_UNKNOWN_NODE', unknownNode(message)),
  );
  const parts = {
    chains: new FrameChains(frames),
    ticks: new TickCounter(),
    schedule: new FlushSchedule(),
    backlog,
    wires: new Wires(direct, frames),
    outboxBytesMax,
    onDrained: (socket: Socket) => {
      socket.nsp.adapter.emit('drained', socket);
      onDrained(socket);
    },
    onUnknown,
  };
  return { parts, outboxes: new WeakMap() };
}

const unknownEngine =
  'This version of engine.io or ws, or this wsEngine, is not known to @fanfare/fanout. ' +
  'Broadcasts go through engine.io instead: the deliveries are the same, and take more CPU time.';

function miscount(reason: string): string {
  return (
    `@fanfare/fanout has counted waiting bytes wrongly: ${reason}. The count was corrected. ` +
    'This is a bug in the adapter; please report it.'
  );
}

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

/** Whether an adapter, such as `socket.nsp.adapter`, was made by {@link fanoutAdapter}. */
export function isFanoutAdapter(adapter: unknown): adapter is FanoutAdapter {
  return adapter instanceof FanoutAdapter;
}

/** The number of bytes that wait for the connection of a socket, with any adapter. */
export function waitingBytesOf(socket: Socket): number {
  const { adapter } = socket.nsp;
  return isFanoutAdapter(adapter) ? adapter.waitingBytesOf(socket) : engineBytes(connectionOf(socket));
}

/** The adapter that {@link fanoutAdapter} makes for each namespace. */
export class FanoutAdapter extends Adapter {
  readonly #parts: OutboxParts;
  readonly #outboxes: WeakMap<Connection, Outbox>;
  readonly #onOverflow: NonNullable<FanoutOptions['onOverflow']>;
  readonly #receivers: Receivers;
  #joinsBursts = false;

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
      this.#joinBursts();
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

  /** @returns the number of sockets that the packet was sent to. Sockets that exceed a limit do not count. */
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
        if (this.#offer(receiver, packet, outgoing, options)) sent++;
      }
    } finally {
      // A listener of the app may have thrown.
      this.#parts.chains.settle();
    }
    return sent;
  }

  /**
   * The number of bytes that wait for slow connections, of all namespaces. Bytes that wait for several
   * connections count once.
   */
  get waitingBytes(): number {
    return this.#parts.backlog.bytes;
  }

  /**
   * Backpressure for programs that broadcast a lot: await it before the next large broadcast. Resolves at
   * once if one turn of the event loop can write everything that is due to websockets (16 MiB). Otherwise
   * resolves after everything that is due now has been written to the clients that read.
   */
  ready(): Promise<void> {
    return this.#parts.schedule.ready();
  }

  /** The number of bytes that wait for the connection of a socket. */
  waitingBytesOf(socket: Socket): number {
    const connection = connectionOf(socket);
    return this.#outboxes.get(connection)?.waitingBytes ?? engineBytes(connection);
  }

  /**
   * Sends several events to one socket of this namespace as one piece, in order with everything else that is
   * sent to it. If nothing waits for the connection, the events can have any size. Otherwise all of them
   * together must be within the limits. `onOverflow` is not called.
   *
   * @returns false if a limit is reached: then nothing was sent, and `onDrained` and the event `drained`
   *   follow
   */
  sendAll(socket: Socket, events: readonly OutgoingEvent[]): boolean {
    if (!socket.connected || events.length === 0) return true;
    const outbox = this.#outboxOf(connectionOf(socket));
    const outgoing = bundle(socket, encodeAll(this, socket.nsp.name, events));
    if (socket.listenersAnyOutgoing().length > 0) {
      // Listeners are called only for events that are sent, and not for events that the app will send again.
      if (!outbox.accepts(socket, outgoing)) return false;
      for (const data of events) notifyOutgoing(socket, { data });
      if (!socket.connected) return true;
    }
    try {
      return outbox.offer(socket, outgoing);
    } finally {
      this.#parts.chains.settle();
    }
  }

  /** Also joins other bursts into one write, such as many acknowledgements to one client. */
  #joinBursts(): void {
    if (this.#joinsBursts) return;
    this.#joinsBursts = true;
    onBurst((this.nsp as Namespace).server, (connection) => {
      if (mayHaveWire(connection)) this.#outboxOf(connection).open();
    });
  }

  #offer(
    { socket, outbox }: Receiver,
    packet: { readonly data?: unknown },
    outgoing: Outgoing,
    { rooms }: BroadcastOptions,
  ): boolean {
    // A listener for an earlier receiver of this broadcast may have disconnected the socket.
    if (!socket.connected) return false;
    notifyOutgoing(socket, packet);
    if (outgoing.options.volatile) return outbox.offerVolatile(socket, outgoing);
    if (outbox.offer(socket, outgoing)) return true;
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

/** Makes one piece of several packets for one socket. */
function bundle(socket: Socket, packet: EncodedPacket): Outgoing {
  const options: PacketOptions = { preEncoded: true };
  const isText = (part: string | Buffer): part is string => typeof part === 'string';
  if (mayHaveWire(connectionOf(socket)) && packet.every(isText)) {
    const frame = new Frame(encodeTextFrames(packet));
    return { packet, options, frame, bytes: frame.buffer.length };
  }
  return { packet, options, frame: undefined, bytes: bytesOf(packet) };
}

function bytesOf(packet: EncodedPacket): number {
  return packet.reduce((bytes, part) => bytes + Buffer.byteLength(part), 0);
}
