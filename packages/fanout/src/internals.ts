import { Socket as NetSocket } from 'node:net';
import type { Server, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import type { HeldFrames } from './frame.ts';
import { KernelWriter, WriteRequests } from './kernel-writer.ts';

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
export function sendThroughEngine(socket: Socket, packet: EncodedPacket, options: PacketOptions): void {
  (socket.client as unknown as Client).writeToEngine(packet, options);
}

interface Listened {
  notifyOutgoingListeners(packet: object): void;
}

/** Tells the socket's own `onAnyOutgoing` listeners, as every adapter has to. */
export function notifyOutgoing(socket: Socket, packet: object): void {
  (socket as unknown as Listened).notifyOutgoingListeners(packet);
}

/** engine.io's `Socket`: a connection, whatever carries it. */
export interface Connection {
  readonly readyState: string;
  readonly upgrading: boolean;
  readonly transport: Transport;
  /** Packets that the transport has not been given yet. */
  readonly writeBuffer: readonly { readonly data?: string | Buffer }[];
  once(event: 'drain' | 'close', listener: () => void): void;
  close(discard: boolean): void;
  readonly server: Engine;
}

/** engine.io's `Server`. */
interface Engine {
  on(event: 'flush', listener: (connection: Connection, packets: readonly unknown[]) => void): void;
}

/** Calls back before an engine gives more than one packet to a connection's transport at once. */
export function onBurst(connection: Connection, listener: (connection: Connection) => void): void {
  connection.server.on('flush', (flushed, packets) => {
    if (packets.length > 1) listener(flushed);
  });
}

interface Transport {
  once(event: 'drain', listener: () => void): void;
  readonly name: string;
  /** Set when the server's option is. */
  readonly perMessageDeflate?: unknown;
  readonly socket?: WebSocketInside;
}

/** ws's `WebSocket`. */
interface WebSocketInside {
  readonly readyState: number;
  /** All that was sent and that neither ws nor the socket's stream has given to the kernel. */
  readonly bufferedAmount?: number;
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

/** What was given to a connection's transport, and waits there; for polling, that is nothing. */
export function transportBytes({ transport }: Connection): number {
  return transport.socket?.bufferedAmount ?? 0;
}

/** All that engine.io and its transport hold for a connection. */
export function engineBytes(connection: Connection): number {
  let bytes = transportBytes(connection);
  for (const { data } of connection.writeBuffer) if (data !== undefined) bytes += Buffer.byteLength(data);
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
  readonly #requests = new WriteRequests();
  readonly #frames: HeldFrames;

  constructor(frames: HeldFrames) {
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
    return new Wire(connection, webSocket, sender, new KernelWriter(socket, this.#requests, this.#frames));
  }

  #passesTrial(SenderClass: object): boolean {
    let passes = this.#trials.get(SenderClass);
    if (passes === undefined) this.#trials.set(SenderClass, (passes = leavesThroughSendFrame(SenderClass)));
    return passes;
  }
}

/** Whether a connection is one that can have a {@link Wire}: an uncompressed websocket of the module ws. */
export function mayHaveWire({ transport }: Connection): boolean {
  return transport.name === 'websocket' && !transport.perMessageDeflate;
}

function isAsKnown(connection: Connection, sender: Sender, socket: NetSocket): boolean {
  return (
    Array.isArray(connection.writeBuffer) &&
    typeof connection.upgrading === 'boolean' &&
    typeof connection.transport.socket?.readyState === 'number' &&
    typeof sender._state === 'number' &&
    typeof sender.sendFrame === 'function' &&
    // Somebody else's hook, of another adapter for example: the order between the two would not be ours to keep.
    !Object.hasOwn(sender, 'sendFrame') &&
    socket instanceof NetSocket
  );
}

/** A trial with a `Sender` of the same class: everything it sends, ws itself included, MUST pass `sendFrame`, as it is. */
function leavesThroughSendFrame(SenderClass: object): boolean {
  const written: Buffer[] = [];
  const socket = {
    cork() {},
    uncork() {},
    write: (bytes: Buffer | string) => written.push(Buffer.from(bytes)),
  };
  try {
    const sender = new (SenderClass as TrialSender)(socket, {});
    let frames = 0;
    const sendFrame = sender.sendFrame.bind(sender);
    sender.sendFrame = (frame, callback) => {
      frames++;
      sendFrame(frame, callback);
    };
    sender.send('a', { fin: true, binary: false, mask: false, compress: false });
    sender.ping(Buffer.from('b'), false);
    sender.close(1000, undefined, false);
    return frames === 3 && Buffer.concat(written).equals(trialBytes);
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

/** The frames of the trial as RFC 6455 has them: a text 'a', a ping 'b', a close with code 1000. */
const trialBytes = Buffer.from([0x81, 1, 0x61, 0x89, 1, 0x62, 0x88, 2, 0x03, 0xe8]);
