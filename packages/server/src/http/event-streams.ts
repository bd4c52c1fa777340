import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FanfareError } from '@fanfare/protocol';
import { ConnectionCounts } from '../limits/connection-counts.ts';
import { AudienceMembers } from '../message-path/audience-members.ts';
import type { Connection } from '../message-path/connection.ts';
import type { FanOut } from '../message-path/fan-out.ts';
import type { LiveEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';
import { encodeFrame, StreamPeer, type StreamLimits } from './stream-peer.ts';

export interface EventStreamsOptions {
  /** The limits now: a reload can change them. */
  readonly limits: EventStreamsLimits;
  /** Makes an id for a stream. Nobody must be able to guess it. */
  readonly newId: () => string;
  /**
   * The interval of heartbeats, in milliseconds. An idle stream gets a comment, so that proxies do not close
   * it.
   */
  readonly heartbeatMs: number;
}

interface EventStreamsLimits extends StreamLimits {
  /** Maximum number of streams from one address; 0 means no limit. */
  readonly connectionsPerAddressMax: number;
  /** Maximum number of bytes that wait for all streams together. */
  readonly outboxTotalBytesMax: number;
}

/** If more bytes wait for streams, the next broadcast waits for the next turn of the event loop. */
const bytesPerTurn = 16_777_216;

const heartbeat = Buffer.from(':\n\n');

/** The fan-out to clients that read a topic or pattern as Server-Sent Events. */
export class EventStreams implements FanOut {
  readonly #options: EventStreamsOptions;
  readonly #counts: ConnectionCounts;
  readonly #open = new Set<StreamPeer>();
  readonly #members = new AudienceMembers<StreamPeer>();
  #due = new Set<StreamPeer>();
  #waitingBytes = 0;
  #heartbeats: NodeJS.Timeout | undefined;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
    // Connections are counted elsewhere. Connections of a proxy have no client address there.
    const { limits } = options;
    this.#counts = new ConnectionCounts({
      connectionsMax: Infinity,
      get connectionsPerAddressMax() {
        return limits.connectionsPerAddressMax;
      },
    });
  }

  /**
   * Opens a stream over a response, of which nothing must have been sent. Nothing is sent before the stream
   * has subscribed.
   *
   * @param accept - makes the connection of the stream
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
      limits: this.#options.limits,
      join: (audience) => this.#members.join(audience, peer),
      leave: (audience) => this.#members.leave(audience, peer),
      waits: (bytes) => (this.#waitingBytes += bytes),
      isFull: (bytes) => this.#waitingBytes + bytes > this.#options.limits.outboxTotalBytesMax,
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
      for (const peer of this.#members.of(audience)) {
        // All streams share these bytes.
        frame ??= Buffer.from(encodeFrame(event));
        if (peer.offerFrame(frame)) sent++;
        else peer.connection.overflow(event);
      }
    }
    return sent;
  }

  /** Resolves when the next broadcast can begin. The streams write their events at the end of a turn. */
  async ready(): Promise<void> {
    if (this.#due.size > 0 && this.#waitingBytes > bytesPerTurn) await nextTurn();
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Cuts every stream after its outbox is written, so that clients reconnect.
   *
   * @param graceMs - streams whose clients have not read the outbox after this time are destroyed
   */
  end(graceMs: number): void {
    const ending = [...this.#open];
    for (const peer of ending) peer.cut();
    setTimeout(() => {
      for (const peer of ending) peer.destroy();
    }, graceMs).unref();
  }

  /** Flushes a stream at the end of the turn, so that all its events of the turn are one write. */
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
