import type { Server, Socket } from 'socket.io';
import type { EngineInside } from '../insides/engine-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { endLogin } from './login-budget.ts';
import { limitRequestLengths } from './request-lengths.ts';

export interface LoginLimits {
  /** How many bytes a connection may send before it is let in. */
  readonly loginBytesMax: number;
  /** How long it may take until it is. */
  readonly loginTimeoutMs: number;
  /** How many may be waiting. */
  readonly loginsPendingMax: number;
  /** The most bytes that one packet may have from then on. */
  readonly packetBytesMax: number;
}

/** The parts of an Engine.IO connection that this file uses. */
interface EngineConnection {
  readonly readyState: string;
  readonly transport: Transport;
  on(event: 'packet', listener: PacketListener): void;
  on(event: 'close', listener: () => void): void;
  once(event: 'upgrade', listener: () => void): void;
  off(event: 'packet', listener: PacketListener): void;
  off(event: 'close', listener: () => void): void;
  close(discard: boolean): void;
}

interface Transport {
  readonly name: string;
  /** The name of its session. */
  readonly sid: string;
}

type PacketListener = (packet: { readonly data?: string | Buffer }) => void;

interface Pending {
  readonly onPacket: PacketListener;
  readonly onClose: () => void;
  /** Of one that polls, or was let in before; Socket.IO sees to the first time itself, and `login-budget.ts` to websockets. */
  readonly timer: NodeJS.Timeout | undefined;
}

/** How much longer a connection has that was told, at the end of its time, that it is closed. */
const goodbyeMs = 1_000;

const { value: packetsMax } = fixedLimits.loginPacketsMax;

/**
 * Bounds what a client can do before it is let in, which is once Socket.IO has its event `connection`: how much it
 * may send, and how many may be waiting. Socket.IO itself sees to how
 * long that may take, and closes it. A client that leaves, and keeps its connection, has to be let in anew.
 *
 * @returns the number of sessions that are waiting
 */
export function limitLogins(io: Server, limits: LoginLimits, inside: EngineInside): () => number {
  const cut = (connection: EngineConnection): void => cutOff(connection, inside);
  const setPacketBytesMax = ({ transport }: EngineConnection, bytes: number): void => {
    if (transport.name === 'polling') inside.setRequestBytesMax?.(transport, bytes);
  };
  const endBudget = ({ transport }: EngineConnection): void => {
    const webSocket = inside.webSocketOf?.(transport);
    if (webSocket) endLogin(webSocket);
  };
  const pending = new Map<EngineConnection, Pending>();
  const forget = (connection: EngineConnection): void => {
    const entry = pending.get(connection);
    if (!entry) return;
    pending.delete(connection);
    clearTimeout(entry.timer);
    connection.off('packet', entry.onPacket);
    connection.off('close', entry.onClose);
  };
  const begin = (connection: EngineConnection, timeoutMs?: number): void => {
    let bytes = 0;
    let packets = 0;
    const onPacket: PacketListener = ({ data = '' }) => {
      bytes += Buffer.byteLength(data);
      packets++;
      if (bytes > limits.loginBytesMax || packets > packetsMax) cut(connection);
    };
    const onClose = (): void => forget(connection);
    connection.on('packet', onPacket);
    connection.on('close', onClose);
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => cut(connection), timeoutMs).unref();
    pending.set(connection, { onPacket, onClose, timer });
    setPacketBytesMax(connection, limits.loginBytesMax);
    const [longest] = pending.size > limits.loginsPendingMax ? pending.keys() : [];
    if (longest) cut(longest);
  };
  function onLeave(this: Socket): void {
    const connection = this.conn as unknown as EngineConnection;
    if (connection.readyState === 'closed' || pending.has(connection)) return;
    begin(connection, limits.loginTimeoutMs);
  }
  io.engine.on('connection', (connection: EngineConnection) => {
    const isPolling = connection.transport.name === 'polling';
    begin(connection, isPolling ? limits.loginTimeoutMs + goodbyeMs : undefined);
  });
  io.on('connection', (socket: Socket) => {
    const connection = socket.conn as unknown as EngineConnection;
    // It has asked many times at once, each of which costs what a client costs. Not before the other listeners know it, for
    // they are told when it goes.
    if (!pending.has(connection)) return process.nextTick(() => cut(connection));
    forget(connection);
    socket.on('disconnect', onLeave);
    setPacketBytesMax(connection, limits.packetBytesMax);
    endBudget(connection);
    if (connection.transport.name === 'polling') connection.once('upgrade', () => endBudget(connection));
  });
  if (!inside.setRequestBytesMax || !inside.dividesRequests) {
    limitRequestLengths(io, inside, (sid) => {
      const isPending = [...pending.keys()].some(({ transport }) => transport.sid === sid);
      return isPending ? limits.loginBytesMax : limits.packetBytesMax;
    });
  }
  return () => pending.size;
}

/** Ends it, and waits for nothing. */
function cutOff(connection: EngineConnection, { webSocketOf, endPolling }: EngineInside): void {
  const { transport } = connection;
  const webSocket = webSocketOf?.(transport);
  if (webSocket) return webSocket.terminate();
  connection.close(true);
  // It was being closed before.
  endPolling?.(transport);
}
