import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FanfareError, Form, Subscribed } from '@fanfare/protocol';
import type { Source } from '../limits/rate-limits.ts';
import type { Connection } from '../message-path/connection.ts';
import type { Audience, PeerEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';

export interface StreamLimits {
  /** The most bytes that may wait for one stream. */
  readonly outboxBytesMax: number;
  /** A stream for which something waits, and that takes nothing for this long, is destroyed. */
  readonly stallTimeoutMs: number;
}

/** The headers of a stream's response. */
export const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  // Without it, nginx would buffer the stream.
  'x-accel-buffering': 'no',
} as const;

/** Encodes an event. Compact JSON has no line breaks, so it is one line. */
export function encodeFrame({ name, argumentJson, offset }: PeerEvent): string {
  // A browser's `onmessage` gets events without a name.
  const event = name === 'message' ? '' : `event: ${name}\n`;
  const id = offset === undefined ? '' : `id: ${offset}\n`;
  return `${event}${id}data: ${argumentJson}\n\n`;
}

/** What a stream needs of its surroundings. */
export interface StreamSurroundings {
  /** The address of the client; empty where it has none. */
  readonly address: string;
  readonly limits: StreamLimits;
  readonly join: (audience: Audience) => void;
  readonly leave: (audience: Audience) => void;
  /** Adds to the bytes that wait for all streams; may be negative. */
  readonly waits: (bytes: number) => void;
  /** Whether so many more bytes would exceed the limit for all streams together. */
  readonly isFull: (bytes: number) => boolean;
  /** Has {@link StreamPeer.flush} called at the end of this turn. */
  readonly isDue: () => void;
  readonly closed: () => void;
}

/** How long a browser waits before it reconnects: usually, and after the subscription has failed. */
const retryMs = { usual: 1_000, failed: 10_000 };

/**
 * One client that reads Server-Sent Events. The next write waits until the kernel has taken the last one. Meanwhile events
 * are collected here, within limits.
 */
export class StreamPeer implements Peer {
  readonly id: string;
  readonly transport = 'stream';
  readonly #response: ServerResponse;
  readonly #surroundings: StreamSurroundings;
  readonly connection: Connection;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  /** What was written, and the kernel has not taken yet. */
  #writtenBytes = 0;
  #state: 'starting' | 'open' | 'ending' | 'closed' = 'starting';
  /** Whether its end is to look like a lost connection. */
  #isCut = false;
  /** Whether the connection waits until there is room. */
  #isBlocked = false;

  constructor(
    id: string,
    response: ServerResponse,
    accept: (peer: Peer) => Connection,
    surroundings: StreamSurroundings,
  ) {
    this.id = id;
    this.#response = response;
    this.#surroundings = surroundings;
    this.connection = accept(this);
    response.once('close', () => this.#close());
  }

  /**
   * Subscribes, and begins the stream. Its first event says where it starts.
   *
   * @param request - the argument of `subscribe`
   * @throws FanfareError; nothing of the response was sent then
   */
  async subscribe(request: object, source: Source = {}): Promise<void> {
    try {
      this.#begin(await this.connection.subscribe(request, source));
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  get address(): string {
    return this.#surroundings.address;
  }

  join(audience: Audience, _form: Form): void {
    this.#surroundings.join(audience);
  }

  leave(audience: Audience, _form: Form): void {
    this.#surroundings.leave(audience);
  }

  /** Offers a live message as its frame. @returns whether there was room for it */
  offerFrame(frame: Buffer): boolean {
    // The kernel may take at once what was collected in this turn.
    if (!this.#hasRoom(frame.length)) this.flush();
    return this.#offer(frame);
  }

  notify(event: PeerEvent): void {
    const isFailure = event.name === 'error';
    this.#push(Buffer.from(`${isFailure ? retry(retryMs.failed) : ''}${encodeFrame(event)}`));
    // Nothing more will come: a client would wait for ever at an open stream.
    if (isFailure) this.end();
  }

  offer(events: readonly PeerEvent[]): boolean {
    return this.#offer(Buffer.from(events.map(encodeFrame).join('')));
  }

  /** Sends a comment, unless something waits to be sent. */
  beat(comment: Buffer): void {
    if (this.#state === 'open' && this.waitingBytes === 0) this.#push(comment);
  }

  /** Writes what waits, if the kernel has taken all that was written before. */
  flush(): void {
    if (this.#state === 'starting' || this.#state === 'closed' || this.#writtenBytes > 0) return;
    const frames = this.#queue;
    if (frames.length > 0) {
      this.#queue = [];
      this.#write(frames);
      // It is 0 if the kernel took all of it.
      this.#account(0, this.#response.writableLength);
    }
    if (this.#state === 'ending') this.#finish();
  }

  /** Ends the stream for good after what waits, and says why. */
  fail(error: FanfareError): void {
    this.notify({ name: 'error', argumentJson: JSON.stringify(error.toProblem()) });
  }

  /** Cuts the stream after what waits: its client reconnects. */
  cut(): void {
    if (this.#state === 'open') this.#isCut = true;
    this.end();
  }

  /** Ends the stream for good after what waits. */
  end(): void {
    if (this.#state === 'starting') this.destroy();
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.connection.close();
    this.flush();
  }

  destroy(): void {
    this.#close();
    this.#response.destroy();
  }

  #begin(subscribed: Subscribed): void {
    // The client may have gone meanwhile.
    if (this.#state !== 'starting') return;
    this.#state = 'open';
    const response = this.#response;
    const { offset } = subscribed;
    const frame = encodeFrame({ name: 'subscribed', argumentJson: JSON.stringify(subscribed), offset });
    const first = Buffer.from(`${retry(retryMs.usual)}${frame}`);
    // Messages that were broadcast meanwhile come after it.
    this.#queue.unshift(first);
    this.#account(this.#queuedBytes + first.length, 0);
    this.#surroundings.isDue();
    // Chunks make a cut stream an error for the client. HTTP/1.0 has none: there the body ends with the connection.
    const hasChunks = isChunked(response.req);
    if (!hasChunks) response.removeHeader('transfer-encoding');
    response.writeHead(200, { ...streamHeaders, ...(!hasChunks && { connection: 'close' }) });
    // A write to a client that has just gone fails.
    response.on('error', () => {});
    this.#endWhenStalled();
  }

  #endWhenStalled(): void {
    const response = this.#response;
    const { socket } = response;
    if (!socket) return;
    // Nothing new is written while something waits, so a timeout means that the client takes nothing.
    response.on('timeout', () => this.waitingBytes > 0 && this.destroy());
    const { timeout: before = 0 } = socket;
    socket.setTimeout(this.#surroundings.limits.stallTimeoutMs);
    // The connection may be used for other requests afterwards.
    response.prependOnceListener('finish', () => socket.setTimeout(before));
  }

  /** Writes frames as one chunk, at once. Without corking, Node would join the parts of the chunk only after the tick. */
  #write(frames: readonly Buffer[]): void {
    const [only] = frames;
    const chunk = only && frames.length === 1 ? only : Buffer.concat(frames);
    const { socket } = this.#response;
    socket?.cork();
    this.#response.write(chunk, () => this.#taken());
    socket?.uncork();
  }

  #finish(): void {
    if (this.#isCut) this.#response.socket?.destroySoon();
    else this.#response.end();
  }

  get waitingBytes(): number {
    return this.#queuedBytes + this.#writtenBytes;
  }

  /** A stream for which nothing waits has room for any message. */
  #hasRoom(bytes: number): boolean {
    const { limits, isFull } = this.#surroundings;
    if (this.waitingBytes === 0) return true;
    return this.waitingBytes + bytes <= limits.outboxBytesMax && !isFull(bytes);
  }

  #offer(frames: Buffer): boolean {
    const isRoom = this.#hasRoom(frames.length);
    if (isRoom) this.#push(frames);
    else this.#isBlocked = true;
    return isRoom;
  }

  #push(frame: Buffer): void {
    if (this.#state === 'ending' || this.#state === 'closed') return;
    this.#queue.push(frame);
    this.#account(this.#queuedBytes + frame.length, this.#writtenBytes);
    // Otherwise it is written once the kernel has taken the last write.
    if (this.#writtenBytes === 0) this.#surroundings.isDue();
  }

  /** The kernel has taken what was written. */
  #taken(): void {
    if (this.#state === 'closed') return;
    this.#account(this.#queuedBytes, this.#response.writableLength);
    if (this.#writtenBytes > 0) return;
    if (this.#queue.length > 0 || this.#state === 'ending') return this.flush();
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.connection.drained();
  }

  #account(queuedBytes: number, writtenBytes: number): void {
    const before = this.waitingBytes;
    this.#queuedBytes = queuedBytes;
    this.#writtenBytes = writtenBytes;
    this.#surroundings.waits(this.waitingBytes - before);
  }

  #close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#queue = [];
    this.#account(0, 0);
    this.connection.close();
    this.#surroundings.closed();
  }
}

/** Whether the client's version of HTTP has chunks. */
function isChunked({ httpVersionMajor, httpVersionMinor }: IncomingMessage): boolean {
  return httpVersionMajor > 1 || httpVersionMinor > 0;
}

function retry(ms: number): string {
  return `retry: ${ms}\n`;
}
