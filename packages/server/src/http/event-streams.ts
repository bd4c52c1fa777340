import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FanfareError } from '@fanfare/protocol';
import { ConnectionCounts } from '../limits/connection-counts.ts';
import type { Connection } from '../message-path/connection.ts';
import type { FanOut } from '../message-path/fan-out.ts';
import type { Audience, LiveEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';
import { encodeFrame, StreamPeer, type StreamLimits } from './stream-peer.ts';

export interface EventStreamsOptions extends StreamLimits {
  /** The most streams from one address; 0 for no limit. */
  readonly connectionsPerAddressMax: number;
  /** The most bytes that may wait for all streams together. */
  readonly outboxTotalBytesMax: number;
  /** Makes an id for a stream that nobody can guess. */
  readonly newId: () => string;
  /** How often a stream for which nothing waits gets a comment, so that proxies do not close it as idle. */
  readonly heartbeatMs: number;
}

/** So much may be written to streams in a turn of the event loop before the next broadcast. */
const bytesPerTurn = 16_777_216;

const heartbeat = Buffer.from(':\n\n');

/** The fan-out to clients that read a topic or pattern as Server-Sent Events. */
export class EventStreams implements FanOut {
  readonly #options: EventStreamsOptions;
  readonly #counts: ConnectionCounts;
  readonly #open = new Set<StreamPeer>();
  readonly #joined = new Map<Audience, Set<StreamPeer>>();
  #due = new Set<StreamPeer>();
  #waitingBytes = 0;
  #heartbeats: NodeJS.Timeout | undefined;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
    // Connections are counted elsewhere. Connections of a proxy have no client address there.
    this.#counts = new ConnectionCounts({ ...options, connectionsMax: Infinity });
  }

  /**
   * Opens a stream over a response of which nothing was sent. Nothing is sent before the stream has subscribed.
   *
   * @param accept - accepts the stream as a connection, which ends with it
   * @param address - the address of the client
   * @throws FanfareError `limit_exceeded`
   */
  open(
    response: ServerResponse,
    accept: (peer: Peer) => Connection,
    address: string | undefined,
  ): StreamPeer {
    const refusal = this.#counts.refusal(address);
    if (refusal !== undefined) throw new FanfareError('limit_exceeded', refusal);
    this.#counts.opened(address);
    const peer: StreamPeer = new StreamPeer(this.#options.newId(), response, accept, {
      address: address ?? '',
      limits: this.#options,
      join: (audience) => this.#join(audience, peer),
      leave: (audience) => this.#leave(audience, peer),
      waits: (bytes) => (this.#waitingBytes += bytes),
      isFull: (bytes) => this.#waitingBytes + bytes > this.#options.outboxTotalBytesMax,
      isDue: () => this.#isDue(peer),
      closed: () => {
        this.#counts.closed(address);
        this.#closed(peer);
      },
    });
    this.#open.add(peer);
    this.#heartbeats ??= setInterval(() => this.#beat(), this.#options.heartbeatMs).unref();
    return peer;
  }

  broadcast(event: LiveEvent): number {
    if (event.form === 'plain') return 0;
    let sent = 0;
    let frame: Buffer | undefined;
    for (const audience of event.audiences) {
      const peers = this.#joined.get(audience);
      if (!peers) continue;
      // The same bytes for all.
      frame ??= Buffer.from(encodeFrame(event));
      for (const peer of peers) {
        if (peer.offerFrame(frame)) sent++;
        else peer.connection.overflow(event);
      }
    }
    return sent;
  }

  /** What was collected in this turn is written at its end. */
  async ready(): Promise<void> {
    if (this.#due.size > 0 && this.#waitingBytes > bytesPerTurn) await nextTurn();
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Cuts every stream, so that clients reconnect. They first get what waits for them.
   *
   * @param graceMs - streams that have not taken it after this time are destroyed
   */
  end(graceMs: number): void {
    const ending = [...this.#open];
    for (const peer of ending) peer.cut();
    setTimeout(() => {
      for (const peer of ending) peer.destroy();
    }, graceMs).unref();
  }

  #join(audience: Audience, peer: StreamPeer): void {
    const peers = this.#joined.get(audience);
    if (peers) peers.add(peer);
    else this.#joined.set(audience, new Set([peer]));
  }

  #leave(audience: Audience, peer: StreamPeer): void {
    const peers = this.#joined.get(audience);
    peers?.delete(peer);
    if (peers?.size === 0) this.#joined.delete(audience);
  }

  /** All that is sent to a stream in a turn is one write. */
  #isDue(peer: StreamPeer): void {
    if (this.#due.size === 0) {
      setImmediate(() => {
        const due = this.#due;
        this.#due = new Set();
        for (const one of due) one.flush();
      });
    }
    this.#due.add(peer);
  }

  #closed(peer: StreamPeer): void {
    this.#open.delete(peer);
    if (this.#open.size > 0) return;
    clearInterval(this.#heartbeats);
    this.#heartbeats = undefined;
  }

  #beat(): void {
    for (const peer of this.#open) peer.beat(heartbeat);
  }
}
