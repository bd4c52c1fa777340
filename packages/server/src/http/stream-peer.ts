import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FanfareError, Form, Subscribed } from '@fanfare/protocol';
import type { Source } from '../limits/rate-limits.ts';
import type { Connection } from '../message-path/connection.ts';
import type { Audience, PeerEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';

export interface StreamLimits {
  /** How many bytes may wait for one stream that does not take them. */
  readonly outboxBytesMax: number;
  /** How long a stream for which something waits may take nothing before it is cut off. */
  readonly stallTimeoutMs: number;
}

/** What a stream is answered with. */
export const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  // nginx would collect what it passes on.
  'x-accel-buffering': 'no',
} as const;

/** An event as it goes out. JSON has no line breaks, so its text is one line. */
export function encodeFrame({ name, argumentJson, offset }: PeerEvent): string {
  // A browser's `onmessage` gets what has no other name.
  const event = name === 'message' ? '' : `event: ${name}\n`;
  const id = offset === undefined ? '' : `id: ${offset}\n`;
  return `${event}${id}data: ${argumentJson}\n\n`;
}

/** What a stream needs of all that are open. */
export interface StreamSurroundings {
  /** That of the client; empty where it has none. */
  readonly address: string;
  readonly limits: StreamLimits;
  readonly join: (audience: Audience) => void;
  readonly leave: (audience: Audience) => void;
  /** So many bytes more wait; less, when it is below 0. */
  readonly waits: (bytes: number) => void;
  /** Whether so many more are too many for all streams together. */
  readonly isFull: (bytes: number) => boolean;
  /** {@link StreamPeer.flush} is to be called at the end of this turn. */
  readonly isDue: () => void;
  readonly closed: () => void;
}

/** How long a browser waits before it comes again: as a rule, and when the subscription failed. */
const retryMs = { usual: 1_000, failed: 10_000 };

/**
 * One client that reads Server-Sent Events. It is written to only when it has taken all that was written before; what
 * comes meanwhile waits here, where it is bounded.
 */
export class StreamPeer implements Peer {
  readonly id: string;
  readonly transport = 'stream';
  readonly #response: ServerResponse;
  readonly #surroundings: StreamSurroundings;
  readonly connection: Connection;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  /** Of what was written, what the kernel has not taken yet. */
  #writtenBytes = 0;
  #state: 'starting' | 'open' | 'ending' | 'closed' = 'starting';
  /** Whether it is to look unfinished at its end. */
  #isCut = false;
  /** Whether the connection waits to be told that there is room again. */
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
   * Subscribes, and begins the stream: its first event tells where it starts.
   *
   * @param request - the argument of `subscribe`
   * @throws FanfareError; the response is as it was then
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
    // Nothing more will come: a stream that stayed open would be waited at for ever.
    if (isFailure) this.end();
  }

  offer(events: readonly PeerEvent[]): boolean {
    return this.#offer(Buffer.from(events.map(encodeFrame).join('')));
  }

  /** Sends a comment, unless something is on its way. */
  beat(comment: Buffer): void {
    if (this.#state === 'open' && this.waitingBytes === 0) this.#push(comment);
  }

  /** Writes what waits, if the client has taken all that was written before. */
  flush(): void {
    if (this.#state === 'starting' || this.#state === 'closed' || this.#writtenBytes > 0) return;
    const frames = this.#queue;
    if (frames.length > 0) {
      this.#queue = [];
      this.#write(frames);
      // Nothing, when the kernel took all of it.
      this.#account(0, this.#response.writableLength);
    }
    if (this.#state === 'ending') this.#finish();
  }

  /** Ends the stream for good behind what waits, and says why. */
  fail(error: FanfareError): void {
    this.notify({ name: 'error', argumentJson: JSON.stringify(error.toProblem()) });
  }

  /** Cuts the stream behind what waits: its client comes again. */
  cut(): void {
    if (this.#state === 'open') this.#isCut = true;
    this.end();
  }

  /** Ends the stream for good behind what waits. */
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
    // The client may be gone by now.
    if (this.#state !== 'starting') return;
    this.#state = 'open';
    const response = this.#response;
    const { offset } = subscribed;
    const frame = encodeFrame({ name: 'subscribed', argumentJson: JSON.stringify(subscribed), offset });
    const first = Buffer.from(`${retry(retryMs.usual)}${frame}`);
    // What was delivered meanwhile comes behind it.
    this.#queue.unshift(first);
    this.#account(this.#queuedBytes + first.length, 0);
    this.#surroundings.isDue();
    // In chunks, for what is cut is an error then. Where there are none the body ends with the connection.
    const hasChunks = isChunked(response.req);
    if (!hasChunks) response.removeHeader('transfer-encoding');
    response.writeHead(200, { ...streamHeaders, ...(!hasChunks && { connection: 'close' }) });
    // Writing to a client that has just gone.
    response.on('error', () => {});
    this.#endWhenStalled();
  }

  #endWhenStalled(): void {
    const response = this.#response;
    const { socket } = response;
    if (!socket) return;
    // While something waits nothing more is written: when nothing has moved for so long, it was the client.
    response.on('timeout', () => this.waitingBytes > 0 && this.destroy());
    const { timeout: before = 0 } = socket;
    socket.setTimeout(this.#surroundings.limits.stallTimeoutMs);
    // The connection may go on with other requests.
    response.prependOnceListener('finish', () => socket.setTimeout(before));
  }

  /** Writes frames as one chunk, at once: Node itself would wait for the end of the tick to join the parts of the chunk. */
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

  /** One message always has room, however large. */
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
    // Else it is written once the client has taken what was written before.
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

/** Whether a client knows chunks. */
function isChunked({ httpVersionMajor, httpVersionMinor }: IncomingMessage): boolean {
  return httpVersionMajor > 1 || httpVersionMinor > 0;
}

function retry(ms: number): string {
  return `retry: ${ms}\n`;
}
