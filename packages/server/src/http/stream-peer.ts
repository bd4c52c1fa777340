import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FanfareError, Form, Subscribed } from '@fanfare/protocol';
import type { Source } from '../limits/rate-limits.ts';
import type { Connection } from '../message-path/connection.ts';
import type { Audience, PeerEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';

export interface StreamLimits {
  /** Maximum number of bytes that wait for one stream. */
  readonly outboxBytesMax: number;
  /**
   * A stream is destroyed if data waits for it and its client reads nothing for this time, in milliseconds.
   */
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

/** The functions and limits that a stream uses. */
export interface StreamSurroundings {
  /** The address of the client; empty if it has none. */
  readonly address: string;
  readonly limits: StreamLimits;
  readonly join: (audience: Audience) => void;
  readonly leave: (audience: Audience) => void;
  /** Adds to the bytes that wait for all streams; may be negative. */
  readonly waits: (bytes: number) => void;
  /** Whether so many more bytes would exceed the limit for all streams together. */
  readonly isFull: (bytes: number) => boolean;
  /** Schedules a call of {@link StreamPeer.flush} at the end of this turn. */
  readonly isDue: () => void;
  readonly closed: () => void;
}

/** The time after which a browser reconnects: usually, and after the subscription has failed. */
const retryMs = { usual: 1_000, failed: 10_000 };

/**
 * A client that reads Server-Sent Events. The next write waits until the kernel has taken the last one.
 * Meanwhile, events wait in a queue with limits.
 */
export class StreamPeer implements Peer {
  readonly id: string;
  readonly transport = 'stream';
  readonly #response: ServerResponse;
  readonly #surroundings: StreamSurroundings;
  readonly connection: Connection;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  /** The number of written bytes that the kernel has not taken yet. */
  #writtenBytes = 0;
  #state: 'starting' | 'open' | 'ending' | 'closed' = 'starting';
  /** Whether the end of the stream must look like a lost connection, so that the client reconnects. */
  #isCut = false;
  /** Whether the connection waits for space in the queue. */
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
   * Subscribes, and begins the stream. The first event is the acknowledgement, with the start of the
   * subscription.
   *
   * @param request - the argument of `subscribe`
   * @throws FanfareError; then nothing of the response was sent
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

  /** Offers the frame of a live message. @returns whether the stream took it */
  offerFrame(frame: Buffer): boolean {
    // A flush can make space: the kernel may take the queue at once.
    if (!this.#fits(frame.length)) this.flush();
    return this.#offer(frame);
  }

  notify(event: PeerEvent): void {
    const isFailure = event.name === 'error';
    this.#push(Buffer.from(`${isFailure ? retry(retryMs.failed) : ''}${encodeFrame(event)}`));
    // The stream ends, because no more events will come: its client would wait for ever.
    if (isFailure) this.end();
  }

  offer(events: readonly PeerEvent[]): boolean {
    return this.#offer(Buffer.from(events.map(encodeFrame).join('')));
  }

  /** Sends a comment, unless other data waits. */
  beat(comment: Buffer): void {
    if (this.#state === 'open' && this.waitingBytes === 0) this.#push(comment);
  }

  /** Writes the queue, if the kernel has taken all earlier writes. */
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

  /** Sends the rest of the queue and the event `error`, and ends the stream for good. */
  fail(error: FanfareError): void {
    this.notify({ name: 'error', argumentJson: JSON.stringify(error.toProblem()) });
  }

  /** Sends the rest of the queue and cuts the stream. Its client reconnects. */
  cut(): void {
    if (this.#state === 'open') this.#isCut = true;
    this.end();
  }

  /** Sends the rest of the queue and ends the stream for good. */
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
    // With chunks, a client sees a cut stream as an error. HTTP/1.0 has no chunks: there the body ends with
    // the connection.
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
    // Nothing new is written while data waits, so a timeout means that the client reads nothing.
    response.on('timeout', () => this.waitingBytes > 0 && this.destroy());
    const { timeout: before = 0 } = socket;
    socket.setTimeout(this.#surroundings.limits.stallTimeoutMs);
    // The connection may be used for other requests afterwards.
    response.prependOnceListener('finish', () => socket.setTimeout(before));
  }

  /**
   * Writes frames as one chunk, at once. Without corking, Node would join the parts of the chunk only after
   * the tick.
   */
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

  /** Whether the queue has space for more bytes. An empty queue has space for any message. */
  #fits(bytes: number): boolean {
    const { limits, isFull } = this.#surroundings;
    if (this.waitingBytes === 0) return true;
    return this.waitingBytes + bytes <= limits.outboxBytesMax && !isFull(bytes);
  }

  #offer(frames: Buffer): boolean {
    const fits = this.#fits(frames.length);
    if (fits) this.#push(frames);
    else this.#isBlocked = true;
    return fits;
  }

  #push(frame: Buffer): void {
    if (this.#state === 'ending' || this.#state === 'closed') return;
    this.#queue.push(frame);
    this.#account(this.#queuedBytes + frame.length, this.#writtenBytes);
    // Otherwise it is written once the kernel has taken the last write.
    if (this.#writtenBytes === 0) this.#surroundings.isDue();
  }

  /** The kernel has taken the last write. */
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
