import type { Server, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import { Backlog } from './backlog.ts';
import { Chains } from './chain.ts';
import { Frame, HeldFrames } from './frame.ts';
import {
  connectionOf,
  eachReceiver,
  encodeOnce,
  mayHaveWire,
  notifyOutgoing,
  onBurst,
  sendThroughEngine,
  wantsRecovery,
  Wires,
  type Connection,
  type PacketOptions,
} from './internals.ts';
import { Outbox, type Outgoing, type OutboxParts } from './outbox.ts';
import { Turns } from './turns.ts';

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
   * Decides about a message that one of the bounds leaves no room for. By default the connection is ended, for
   * its client would else miss a message and not know.
   *
   * @param rooms - the rooms of the broadcast; empty when it is for everybody
   */
  readonly onOverflow?: (socket: Socket, rooms: ReadonlySet<string>) => Overflow;
  /** A socket for which a message was dropped has taken all that waited. */
  readonly onDrained?: (socket: Socket) => void;
}

interface Receiver {
  readonly socket: Socket;
  readonly outbox: Outbox;
}

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
  const parts = {
    chains: new Chains(frames),
    turns: new Turns(),
    backlog,
    wires: new Wires(frames),
    outboxBytesMax,
    onDrained,
    onUnknown,
  };
  return { parts, outboxes: new WeakMap() };
}

const unknownEngine =
  'These versions of engine.io and ws, or this wsEngine, are not known to @fanfare/fanout: broadcasts go the ordinary way.';

const noRecovery =
  'Connection state recovery does not work with @fanfare/fanout: no connection will be recovered.';

function warn(code: string, message: string): void {
  process.emitWarning(message, { code });
}

const everybody = Symbol('everybody');

class FanoutAdapter extends Adapter {
  readonly #parts: OutboxParts;
  readonly #outboxes: WeakMap<Connection, Outbox>;
  readonly #overflow: (socket: Socket, rooms: ReadonlySet<string>) => Overflow;
  /** The receivers of a broadcast to a room or to everybody, until one joins or leaves. */
  readonly #receivers = new Map<string | undefined | typeof everybody, readonly Receiver[]>();

  #collectsBursts = false;

  constructor(namespace: Namespace, { parts, outboxes }: Shared, { onOverflow }: FanoutOptions) {
    super(namespace);
    this.#parts = parts;
    this.#outboxes = outboxes;
    this.#overflow = onOverflow ?? (() => 'disconnect');
    if (wantsRecovery(namespace.server)) warn('FANOUT_NO_RECOVERY', noRecovery);
  }

  override addAll(id: string, rooms: Set<string>): Promise<void> | void {
    if (!this.sids.has(id)) {
      this.#receivers.delete(everybody);
      this.#collectBursts(id);
    }
    for (const room of rooms) this.#receivers.delete(room);
    return super.addAll(id, rooms);
  }

  override del(id: string, room: string): Promise<void> | void {
    this.#receivers.delete(room);
    return super.del(id, room);
  }

  override delAll(id: string): void {
    this.#receivers.delete(everybody);
    for (const room of this.sids.get(id) ?? []) this.#receivers.delete(room);
    super.delAll(id);
  }

  override broadcast(packet: { nsp?: string }, options: BroadcastOptions): void {
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
      bytes: frame?.buffer.length ?? encoded.reduce((bytes, part) => bytes + Buffer.byteLength(part), 0),
    };
    try {
      for (const receiver of this.#receiversOf(options)) this.#send(receiver, packet, outgoing, options);
    } finally {
      // A listener of the app's may have thrown.
      this.#parts.chains.settle();
    }
  }

  /** Many acknowledgements to one client, say, are one write as well. */
  #collectBursts(id: string): void {
    const socket = (this.nsp as Namespace).sockets.get(id);
    if (!socket || this.#collectsBursts) return;
    this.#collectsBursts = true;
    onBurst(connectionOf(socket), (connection) => {
      if (mayHaveWire(connection)) this.#outboxOf(connection).open();
    });
  }

  #send({ socket, outbox }: Receiver, packet: object, outgoing: Outgoing, { rooms }: BroadcastOptions): void {
    // One before it in this broadcast may have had it disconnected.
    if (!socket.connected) return;
    notifyOutgoing(socket, packet);
    if (outgoing.options.volatile) {
      if (!outbox.isBlocked) sendThroughEngine(socket, outgoing.packet, outgoing.options);
    } else if (!outbox.send(socket, outgoing) && this.#overflow(socket, rooms) === 'disconnect') {
      outbox.end();
    }
  }

  #receiversOf(options: BroadcastOptions): readonly Receiver[] {
    const { rooms, except } = options;
    if (rooms.size > 1 || (except?.size ?? 0) > 0) return this.#findReceivers(options);
    // By mistake an app may name a room undefined, which is nobody's.
    const [room] = rooms;
    const target = rooms.size === 0 ? everybody : room;
    const known = this.#receivers.get(target);
    if (known) return known;
    const found = this.#findReceivers(options);
    const members = target === everybody ? this.sids.size : this.rooms.get(target as string)?.size;
    // A socket can be in a room before its namespace knows it; it is found once it is connected.
    if (found.length === members) this.#receivers.set(target, found);
    return found;
  }

  #findReceivers(options: BroadcastOptions): readonly Receiver[] {
    const found: Receiver[] = [];
    eachReceiver(this, options, (socket) =>
      found.push({ socket, outbox: this.#outboxOf(connectionOf(socket)) }),
    );
    return found;
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
