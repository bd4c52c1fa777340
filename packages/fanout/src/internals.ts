import { Socket as NetSocket } from 'node:net';
import type { Server, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import type { DirectWrites } from './outbox/direct-writes.ts';
import type { HeldFrames } from './outbox/frame.ts';
import { KernelWriter } from './outbox/kernel-writer.ts';

/*
 * This file has everything that the package knows about the internals of socket.io, engine.io and ws. A
 * connection with other internals is served through engine.io.
 */

/**
 * Whether a Socket.IO server was asked to recover connections, which needs an adapter that stores packets.
 */
export function wantsRecovery(server: Server): boolean {
  return Boolean(
    (server as unknown as { opts?: { connectionStateRecovery?: unknown } }).opts?.connectionStateRecovery,
  );
}

/** The options that Socket.IO's adapter passes to engine.io with a packet. */
export interface PacketOptions {
  readonly preEncoded: true;
  readonly volatile?: boolean | undefined;
  readonly compress?: boolean | undefined;
  /** The header and the payload of the WebSocket frame. Absent for a packet with attachments. */
  wsPreEncodedFrame?: readonly Buffer[];
}

/** An encoded packet. */
export type EncodedPacket = readonly (string | Buffer)[];

/** The protected parts of socket.io-adapter's in-memory adapter. */
interface AdapterInside {
  readonly encoder: { encode(packet: object): EncodedPacket };
  _encode(packet: object, options: PacketOptions): EncodedPacket;
  apply(options: BroadcastOptions, callback: (socket: Socket) => void): void;
}

/** socket.io-parser's `PacketType.EVENT`. */
const eventType = 2;

/** Encodes a packet for all its receivers. For websockets, also encodes it as a frame. */
export function encodeOnce(adapter: Adapter, packet: object, options: PacketOptions): EncodedPacket {
  return (adapter as unknown as AdapterInside)._encode(packet, options);
}

/** Encodes events with their arguments for one receiver, as the server's parser does. */
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

/** Calls back once with every local socket that a broadcast is for. */
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

/** Sends a packet through engine.io. */
export function writeThroughEngine(socket: Socket, packet: EncodedPacket, options: PacketOptions): void {
  (socket.client as unknown as Client).writeToEngine(packet, options);
}

interface Listened {
  notifyOutgoingListeners(packet: object): void;
}

/** Calls the socket's own `onAnyOutgoing` listeners, as every adapter must. */
export function notifyOutgoing(socket: Socket, packet: object): void {
  (socket as unknown as Listened).notifyOutgoingListeners(packet);
}

interface EnginePacket {
  readonly data?: string | Buffer;
}

/** engine.io's `Socket`: a connection over any transport. */
export interface Connection {
  readonly readyState: string;
  readonly upgrading: boolean;
  readonly transport: Transport;
  /** The packets that the transport does not have yet. This field is private, and may not exist. */
  readonly writeBuffer: readonly EnginePacket[] | undefined;
  once(event: 'drain' | 'close', listener: () => void): void;
  close(discard: boolean): void;
}

/**
 * Calls back before the engine of a server gives several packets to the transport of a connection at once.
 */
export function onBurst(server: Server, listener: (connection: Connection) => void): void {
  server.engine.on('flush', (connection: Connection, packets: readonly unknown[]) => {
    if (packets.length > 1) listener(connection);
  });
}

interface Transport {
  once(event: 'drain', listener: () => void): void;
  readonly name: string;
  /** Whether the transport takes packets at once. */
  readonly writable?: boolean;
  readonly socket?: WebSocketInside;
}

/** ws's `WebSocket`. */
interface WebSocketInside {
  readonly readyState: number;
  /** The number of sent bytes that are still in ws and in the stream of the socket. */
  readonly bufferedAmount: number;
  /** The names of the extensions in use. The only extension of ws is compression. */
  readonly extensions: string;
  readonly _socket: NetSocket | undefined;
  readonly _sender: Sender | undefined;
  terminate(): void;
}

/** ws's `Sender`: every frame of a WebSocket leaves through `sendFrame`. */
interface Sender {
  readonly constructor: object;
  /** 0 if nothing is being compressed or read. */
  readonly _state: number;
  sendFrame(frame: readonly (Buffer | string)[], callback?: (error?: Error) => void): void;
}

/**
 * The number of bytes that wait in the transport of a connection. For polling, it is 0.
 *
 * @returns undefined if the transport does not have this number
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

/** Whether engine.io buffers as expected. MUST be called directly after a packet with data was sent. */
export function holdsPackets({ writeBuffer }: Connection): boolean {
  if (writeBuffer === undefined || !Array.isArray(writeBuffer)) return false;
  return writeBuffer.length === 0 || writeBuffer.some((packet: EnginePacket) => dataBytes(packet) > 0);
}

/** The number of bytes that engine.io and its transport hold for a connection, as far as it is known. */
export function engineBytes(connection: Connection): number {
  let bytes = transportBytes(connection) ?? 0;
  for (const packet of connection.writeBuffer ?? []) bytes += dataBytes(packet);
  return bytes;
}

export function connectionOf(socket: Socket): Connection {
  return socket.conn as unknown as Connection;
}

/** Ends a connection at once. The data that waits for it is dropped. */
export function cut(connection: Connection): void {
  const { socket } = connection.transport;
  if (typeof socket?.terminate === 'function') socket.terminate();
  else connection.close(true);
}

const webSocketOpen = 1;

/** Writes to the WebSocket of a connection, bypassing engine.io and ws. */
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

  /**
   * Whether bytes that are written now come after everything that was sent before, and the client can read
   * them.
   */
  get isOpen(): boolean {
    return (
      this.#connection.readyState === 'open' &&
      !this.#connection.upgrading &&
      this.#webSocket.readyState === webSocketOpen &&
      this.#sender._state === 0
    );
  }
}

/**
 * Sends a frame, given in parts. The callback is called in a later tick, when the write is complete or has
 * failed.
 */
export type Intercept = (frame: readonly (Buffer | string)[], callback?: (error?: Error) => void) => void;

/** Finds the {@link Wire} of a connection. */
export class Wires {
  /** Whether the `Sender` class of a copy of ws has passed the trial. */
  readonly #trials = new WeakMap<object, boolean>();
  readonly #direct: DirectWrites;
  readonly #frames: HeldFrames;

  constructor(direct: DirectWrites, frames: HeldFrames) {
    this.#direct = direct;
    this.#frames = frames;
  }

  /**
   * @param intercept - from now on, called with everything that engine.io and ws send
   * @returns undefined if the internals are not as expected
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

/** Whether a connection can have a {@link Wire}. It must be an uncompressed websocket of the module ws. */
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
    // Another program has a hook here, for example another adapter. The order between the two could not be
    // kept.
    !Object.hasOwn(sender, 'sendFrame') &&
    socket instanceof NetSocket
  );
}

/**
 * A trial with a `Sender` of the same class. Everything that it sends MUST pass `sendFrame` unchanged, also
 * the frames that ws sends by itself. `_state` MUST be 0 unless something is being compressed.
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

/** The frames of the trial, by RFC 6455: a text 'a', a compressed 'c', a ping 'b', a close with code 1000. */
const trialBytes = Buffer.from([0x81, 1, 0x61, 0xc1, 1, 0x63, 0x89, 1, 0x62, 0x88, 2, 0x03, 0xe8]);
