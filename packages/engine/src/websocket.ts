import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  encodeTextFrames,
  Frame,
  KernelWriter,
  pieceOf,
  type Flushable,
  type FrameChain,
  type PieceOf,
} from '@fanfare/fanout/outbox';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { Arrival } from './arrival-budget.ts';
import { FrameCount } from './frame-count.ts';
import type { EngineOptions } from './options.ts';
import type { OutgoingPacket, Transport, TransportOwner, TransportParts } from './transport.ts';

/** A WebSocket that knows its transport, so that all of them can share their listeners. */
class OwnedWebSocket extends WebSocket {
  transport: WebSocketTransport | undefined;
}

/** The transports by their TCP sockets, for the same reason. */
const bySocket = new WeakMap<Duplex, WebSocketTransport>();

/** Makes the part of `ws` that does the handshakes and reads the frames. */
export function createWebSocketServer({ packetBytesMax, fragmentsMax }: EngineOptions): WebSocketServer {
  // The types lack `maxFragments`.
  const fragments = { maxFragments: fragmentsMax };
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: packetBytesMax,
    WebSocket: OwnedWebSocket,
    ...fragments,
  });
}

/** The code of a closing frame that says what the client did wrong: a protocol error (RFC 6455, 7.4.1). */
const protocolError = 1002;

/** The number of bytes that a closing frame has for the reason (RFC 6455, 5.5). */
const reasonBytesMax = 123;

function cutReason(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(reasonBytesMax));
  return reason.slice(0, read);
}

/** Refuses a client that has asked for a WebSocket. It sees the reason. */
export function refuseWebSocket(webSocket: WebSocket, reason: string, closeTimeoutMs: number): void {
  webSocket.on('error', ignore);
  webSocket.close(protocolError, cutReason(reason));
  setTimeout(() => webSocket.terminate(), closeTimeoutMs).unref();
}

function ignore(): void {}

/**
 * Packets over a WebSocket. `ws` reads frames and answers pings; frames with packets are ours. They are
 * collected for a few turns of the event loop, and written together to the TCP socket. Frames of `ws` are
 * whole frames in the same stream, so they can come before or after ours.
 */
export class WebSocketTransport implements Transport, Flushable {
  readonly name = 'websocket';
  owner: TransportOwner;
  readonly #parts: TransportParts;
  readonly #webSocket: WebSocket;
  readonly #writer: KernelWriter;
  readonly #arrival: Arrival;
  readonly #frames = new FrameCount();
  #chain: FrameChain;
  /** The number of bytes of the chain that were written. */
  #from = 0;
  #isScheduled = false;
  #isClosing = false;
  #isClosed = false;
  #closeReason: string | undefined;
  #isPonging = false;
  /**
   * The newest ping that waits while an earlier one is being answered. RFC 6455 5.5.3 allows to skip
   * others.
   */
  #unanswered: Uint8Array | undefined;

  constructor(webSocket: WebSocket, socket: Duplex, parts: TransportParts, owner: TransportOwner) {
    this.owner = owner;
    this.#parts = parts;
    this.#webSocket = webSocket;
    this.#writer = new KernelWriter(socket as Socket, parts.direct, parts.frames);
    this.#arrival = new Arrival(parts.arrivals);
    this.#chain = parts.chains.empty;
    (webSocket as OwnedWebSocket).transport = this;
    bySocket.set(socket, this);
    webSocket.on('message', onMessage).on('ping', onPing).on('close', onClose).on('error', ignore);
    // This listener comes after that of `ws`, so it sees a chunk when its messages were told.
    socket.on('data', onData);
  }

  get waitingBytes(): number {
    return this.#chain.bytes - this.#from + this.#writer.inFlightBytes;
  }

  get ownBytes(): number {
    return 0;
  }

  get dueBytes(): number {
    return this.#chain.bytes - this.#from;
  }

  get isSlow(): boolean {
    return !this.#isClosed && this.#writer.isBlocked;
  }

  get progress(): number {
    return this.#writer.takenBytes;
  }

  send({ frame }: OutgoingPacket): void {
    this.#add(frame);
  }

  offer(packets: readonly OutgoingPacket[]): boolean {
    // A packet for many clients has one frame for all of them. A page is one buffer.
    const [only] = packets;
    const frame =
      only && packets.length === 1
        ? only.frame
        : new Frame(encodeTextFrames(packets.map(({ text }) => text.slice(1))));
    const isTaken = this.owner.mayWait(frame.buffer.length);
    if (isTaken) this.#add(frame);
    return isTaken;
  }

  #add(frame: Frame): void {
    if (this.#isClosing || this.#isClosed) return;
    const { chains, options } = this.#parts;
    // Frames that are held may exceed the limit: the kernel gets them before they count as waiting.
    if (this.dueBytes + frame.buffer.length > options.outboxBytesMax) this.#write();
    this.#chain = chains.extend(this.#chain, frame);
    this.#scheduleFlush();
  }

  flush(nextPiece: PieceOf): number {
    this.#isScheduled = false;
    const bytes = this.#write(nextPiece);
    if (this.#isClosing && this.dueBytes === 0 && !this.isSlow) this.#sendClose();
    this.owner.changed(this);
    if (!this.isSlow) this.owner.read(this);
    return bytes;
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  close(reason?: string): void {
    if (this.#isClosing || this.#isClosed) return;
    this.#isClosing = true;
    this.#closeReason = reason;
    // A client that is refused does not get the time to read what waits.
    if (reason !== undefined) this.#parts.closingSoon.add(this);
    this.#scheduleFlush();
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  /** Called for each message of `ws`. */
  takeMessage(data: RawData, isBinary: boolean): void {
    this.#arrival.end();
    if (!this.#isClosed) this.owner.receive(isBinary ? undefined : (data as Buffer).toString(), this);
  }

  takePing(data: Uint8Array): void {
    // Copied, because it is a part of everything that was read with it.
    this.#unanswered = Uint8Array.from(data);
    if (!this.#isPonging) this.#pong();
  }

  takeBytes(chunk: Buffer): void {
    const frames = this.#frames.add(chunk);
    if (!this.#arrival.add(chunk.length, frames) || !this.owner.allow(chunk.length, frames)) this.terminate();
  }

  takeClose(): void {
    this.#isClosed = true;
    this.#arrival.end();
    this.#parts.closingSoon.delete(this);
    this.#leaveChain();
    this.owner.read(this);
    this.owner.lost('transport close', this);
  }

  #write(nextPiece: PieceOf = pieceOf): number {
    let bytes = 0;
    while (this.#chain !== this.#parts.chains.empty && !this.#writer.isBlocked) {
      const piece = nextPiece(this.#chain, this.#from);
      bytes += piece.buffer.length;
      this.#from += piece.buffer.length;
      if (this.#from === this.#chain.bytes) this.#leaveChain();
      this.#writer.write(piece);
    }
    if (this.#writer.isBlocked) this.#writer.onceDrained(() => this.#scheduleFlush());
    return bytes;
  }

  #leaveChain(): void {
    this.#parts.chains.leave(this.#chain);
    this.#chain = this.#parts.chains.empty;
    this.#from = 0;
  }

  #scheduleFlush(): void {
    if (this.#isScheduled) return this.#parts.schedule.extend();
    if (this.isSlow) return;
    this.#isScheduled = true;
    this.#parts.schedule.add(this);
  }

  /** Calling this again has no effect. */
  #sendClose(): void {
    const reason = this.#closeReason;
    if (reason !== undefined) return this.#webSocket.close(protocolError, cutReason(reason));
    this.#webSocket.close();
    if (!this.#isClosed) this.#parts.closingSoon.add(this);
  }

  #pong(): void {
    const data = this.#unanswered;
    this.#unanswered = undefined;
    this.#isPonging = data !== undefined;
    if (data) this.#webSocket.pong(data, false, () => this.#pong());
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  (this as OwnedWebSocket).transport?.takeMessage(data, isBinary);
}

function onPing(this: WebSocket, data: Buffer): void {
  (this as OwnedWebSocket).transport?.takePing(data);
}

function onClose(this: WebSocket): void {
  (this as OwnedWebSocket).transport?.takeClose();
}

function onData(this: Duplex, chunk: Buffer): void {
  bySocket.get(this)?.takeBytes(chunk);
}
