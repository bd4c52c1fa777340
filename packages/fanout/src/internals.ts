import { Socket as NetSocket } from 'node:net';
import type { Server, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import type { DirectWrites } from './direct-writes.ts';
import type { HeldFrames } from './frame.ts';
import { KernelWriter } from './kernel-writer.ts';

/*
 * All that the package knows of the inside of socket.io, engine.io and ws is in this file. What is not shaped as
 * it is here is left alone, and served the ordinary way.
 */

/** Whether a Socket.IO server was asked to recover connections, which needs an adapter that stores packets. */
export function wantsRecovery(server: Server): boolean {
  return Boolean(
    (server as unknown as { opts?: { connectionStateRecovery?: unknown } }).opts?.connectionStateRecovery,
  );
}

/** What Socket.IO's adapter passes to engine.io along with a packet. */
export interface PacketOptions {
  readonly preEncoded: true;
  readonly volatile?: boolean | undefined;
  readonly compress?: boolean | undefined;
  /** The header and the payload of the WebSocket frame; not there for a packet with attachments. */
  wsPreEncodedFrame?: readonly Buffer[];
}

/** A packet as it goes over the wire. */
export type EncodedPacket = readonly (string | Buffer)[];

/** The protected parts of socket.io-adapter's in-memory adapter. */
interface AdapterInside {
  readonly encoder: { encode(packet: object): EncodedPacket };
  _encode(packet: object, options: PacketOptions): EncodedPacket;
  apply(options: BroadcastOptions, callback: (socket: Socket) => void): void;
}

/** socket.io-parser's `PacketType.EVENT`. */
const eventType = 2;

/** Encodes a packet for all of its receivers, for websockets as a frame too. */
export function encodeOnce(adapter: Adapter, packet: object, options: PacketOptions): EncodedPacket {
  return (adapter as unknown as AdapterInside)._encode(packet, options);
}

/** Encodes events, given with their arguments, as the server's parser does, for one receiver. */
export function encodeAll(
  adapter: Adapter,
  namespace: string,
  events: readonly (readonly unknown[])[],
): EncodedPacket {
  const { encoder } = adapter as unknown as AdapterInside;
  const encoded: (string | Buffer)[] = [];
  for (const data of events) encoded.push(...encoder.encode({ type: eventType, nsp: namespace, data }));
  return encoded;
}

/** Calls back with every local socket that a broadcast is for, once. */
export function eachReceiver(
  adapter: Adapter,
  options: BroadcastOptions,
  callback: (socket: Socket) => void,
): void {
  (adapter as unknown as AdapterInside).apply(options, callback);
}

interface Client {
  writeToEngine(packet: EncodedPacket, options: PacketOptions): void;
}

/** Sends a packet the ordinary way. */
export function writeThroughEngine(socket: Socket, packet: EncodedPacket, options: PacketOptions): void {
  (socket.client as unknown as Client).writeToEngine(packet, options);
}

interface Listened {
  notifyOutgoingListeners(packet: object): void;
}

/** Tells the socket's own `onAnyOutgoing` listeners, as every adapter has to. */
export function notifyOutgoing(socket: Socket, packet: object): void {
  (socket as unknown as Listened).notifyOutgoingListeners(packet);
}

interface EnginePacket {
  readonly data?: string | Buffer;
}

/** engine.io's `Socket`: a connection, whatever carries it. */
export interface Connection {
  readonly readyState: string;
  readonly upgrading: boolean;
  readonly transport: Transport;
  /** Packets that the transport has not been given yet. It is private, and may be gone. */
  readonly writeBuffer: readonly EnginePacket[] | undefined;
  once(event: 'drain' | 'close', listener: () => void): void;
  close(discard: boolean): void;
}

/** Calls back before the engine of a server gives more than one packet to a connection's transport at once. */
export function onBurst(server: Server, listener: (connection: Connection) => void): void {
  server.engine.on('flush', (connection: Connection, packets: readonly unknown[]) => {
    if (packets.length > 1) listener(connection);
  });
}

interface Transport {
  once(event: 'drain', listener: () => void): void;
  readonly name: string;
  /** Whether it takes packets at once. */
  readonly writable?: boolean;
  readonly socket?: WebSocketInside;
}

/** ws's `WebSocket`. */
interface WebSocketInside {
  readonly readyState: number;
  /** All that was sent and that neither ws nor the socket's stream has given to the kernel. */
  readonly bufferedAmount: number;
  /** The names of those that client and server use. The only one that ws has is compression. */
  readonly extensions: string;
  readonly _socket: NetSocket | undefined;
  readonly _sender: Sender | undefined;
  terminate(): void;
}

/** ws's `Sender`: every frame of a WebSocket leaves through `sendFrame`. */
interface Sender {
  readonly constructor: object;
  /** 0 when nothing is being compressed or read. */
  readonly _state: number;
  sendFrame(frame: readonly (Buffer | string)[], callback?: (error?: Error) => void): void;
}

/**
 * How many bytes wait in a connection's transport; with polling none do.
 *
 * @returns undefined when the transport does not tell
 */
export function transportBytes({ transport }: Connection): number | undefined {
  if (transport.name === 'polling') return 0;
  const bytes = transport.socket?.bufferedAmount;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Whether nothing waits in the transport of a connection. Otherwise its event `drain` follows. */
export function isTransportDone(connection: Connection): boolean {
  const bytes = transportBytes(connection);
  return bytes === undefined ? connection.transport.writable === true : bytes === 0;
}

export function dataBytes(packet: EnginePacket | undefined): number {
  const data: unknown = packet?.data;
  if (typeof data === 'string') return Buffer.byteLength(data);
  return ArrayBuffer.isView(data) || data instanceof ArrayBuffer ? data.byteLength : 0;
}

/** Whether engine.io buffers as known. It MUST be asked right after a packet with data was sent. */
export function holdsPackets({ writeBuffer }: Connection): boolean {
  if (writeBuffer === undefined || !Array.isArray(writeBuffer)) return false;
  return writeBuffer.length === 0 || writeBuffer.some((packet: EnginePacket) => dataBytes(packet) > 0);
}

/** All that engine.io and its transport are known to hold for a connection. */
export function engineBytes(connection: Connection): number {
  let bytes = transportBytes(connection) ?? 0;
  for (const packet of connection.writeBuffer ?? []) bytes += dataBytes(packet);
  return bytes;
}

export function connectionOf(socket: Socket): Connection {
  return socket.conn as unknown as Connection;
}

/** Ends a connection at once, without waiting for what is due to it. */
export function cut(connection: Connection): void {
  const { socket } = connection.transport;
  if (typeof socket?.terminate === 'function') socket.terminate();
  else connection.close(true);
}

const webSocketOpen = 1;

/** The way to the bytes of a connection's WebSocket, beside engine.io and ws. */
export class Wire {
  readonly #connection: Connection;
  readonly #webSocket: WebSocketInside;
  readonly #sender: Sender;
  readonly writer: KernelWriter;

  constructor(connection: Connection, webSocket: WebSocketInside, sender: Sender, writer: KernelWriter) {
    this.#connection = connection;
    this.#webSocket = webSocket;
    this.#sender = sender;
    this.writer = writer;
  }

  /** Whether bytes written now come after everything that was sent before, and are understood. */
  get isOpen(): boolean {
    return (
      this.#connection.readyState === 'open' &&
      !this.#connection.upgrading &&
      this.#webSocket.readyState === webSocketOpen &&
      this.#sender._state === 0
    );
  }
}

/** Sends a frame, given in parts. The callback follows in a later tick: when it was written, or failed. */
export type Intercept = (frame: readonly (Buffer | string)[], callback?: (error?: Error) => void) => void;

/** Finds the {@link Wire} of a connection. */
export class Wires {
  /** Whether the `Sender` of a copy of ws was found to work as known. */
  readonly #trials = new WeakMap<object, boolean>();
  readonly #direct: DirectWrites;
  readonly #frames: HeldFrames;

  constructor(direct: DirectWrites, frames: HeldFrames) {
    this.#direct = direct;
    this.#frames = frames;
  }

  /**
   * @param intercept - gets all that engine.io and ws send, from now on
   * @returns undefined when the inside is not as this file has it
   */
  take(connection: Connection, intercept: Intercept): Wire | undefined {
    const webSocket = connection.transport.socket;
    const sender = webSocket?._sender;
    const socket = webSocket?._socket;
    if (!webSocket || !sender || !socket || !isAsKnown(connection, sender, socket)) return undefined;
    if (!this.#passesTrial(sender.constructor)) return undefined;
    sender.sendFrame = intercept;
    return new Wire(connection, webSocket, sender, new KernelWriter(socket, this.#direct, this.#frames));
  }

  #passesTrial(SenderClass: object): boolean {
    let passes = this.#trials.get(SenderClass);
    if (passes === undefined) this.#trials.set(SenderClass, (passes = leavesThroughSendFrame(SenderClass)));
    return passes;
  }
}

/** Whether a connection is one that can have a {@link Wire}: an uncompressed websocket of the module ws. */
export function mayHaveWire({ transport }: Connection): boolean {
  return transport.name === 'websocket' && !transport.socket?.extensions;
}

function isAsKnown(connection: Connection, sender: Sender, socket: NetSocket): boolean {
  return (
    Array.isArray(connection.writeBuffer) &&
    typeof connection.upgrading === 'boolean' &&
    transportBytes(connection) !== undefined &&
    connection.transport.socket?.extensions === '' &&
    typeof connection.transport.socket.readyState === 'number' &&
    typeof sender._state === 'number' &&
    typeof sender.sendFrame === 'function' &&
    // Somebody else's hook, of another adapter for example: the order between the two would not be ours to keep.
    !Object.hasOwn(sender, 'sendFrame') &&
    socket instanceof NetSocket
  );
}

/**
 * A trial with a `Sender` of the same class. All that it sends MUST pass `sendFrame`, as it is, what ws sends by itself
 * included; and `_state` MUST be 0 unless something is being compressed.
 */
function leavesThroughSendFrame(SenderClass: object): boolean {
  const written: Buffer[] = [];
  const socket = {
    cork() {},
    uncork() {},
    write: (bytes: Buffer | string) => written.push(Buffer.from(bytes)),
  };
  let compressed = (): void => {};
  const deflate = {
    params: {},
    compress: (data: string, _isLast: boolean, callback: (error: null, data: Buffer) => void) =>
      (compressed = () => callback(null, Buffer.from(data))),
  };
  try {
    const sender = new (SenderClass as TrialSender)(socket, { 'permessage-deflate': deflate });
    let frames = 0;
    const sendFrame = sender.sendFrame.bind(sender);
    sender.sendFrame = (frame, callback) => {
      frames++;
      sendFrame(frame, callback);
    };
    const states = [sender._state];
    sender.send('a', { fin: true, binary: false, mask: false, compress: false });
    sender.send('c', { fin: true, binary: false, mask: false, compress: true });
    states.push(sender._state);
    compressed();
    states.push(sender._state);
    sender.ping(Buffer.from('b'), false);
    sender.close(1000, undefined, false);
    const [before, meanwhile, after] = states;
    if (before !== 0 || meanwhile === 0 || after !== 0) return false;
    return frames === 4 && Buffer.concat(written).equals(trialBytes);
  } catch {
    return false;
  }
}

type TrialSender = new (socket: object, extensions: object) => Sender & TrialMethods;

interface TrialMethods {
  send(data: string, options: object): void;
  ping(data: Buffer, mask: boolean): void;
  close(code: number, data: undefined, mask: boolean): void;
}

/** The frames of the trial as RFC 6455 has them: a text 'a', a compressed 'c', a ping 'b', a close with code 1000. */
const trialBytes = Buffer.from([0x81, 1, 0x61, 0xc1, 1, 0x63, 0x89, 1, 0x62, 0x88, 2, 0x03, 0xe8]);
