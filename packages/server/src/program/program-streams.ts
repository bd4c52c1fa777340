import type { Connection } from '../message-path/connection.ts';
import type { FanOut } from '../message-path/fan-out.ts';
import type { Audience, LiveEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';
import { ProgramPeer } from './program-peer.ts';

export interface ProgramStreamsOptions {
  /** The most bytes that may wait for one subscription of the program. */
  readonly outboxBytesMax: number;
  /** Makes an id for a subscription that nobody can guess. */
  readonly newId: () => string;
}

/** The fan-out to the subscriptions of the program that Fanfare is embedded in. */
export class ProgramStreams implements FanOut {
  readonly #options: ProgramStreamsOptions;
  readonly #open = new Set<ProgramPeer>();
  readonly #joined = new Map<Audience, Set<ProgramPeer>>();

  constructor(options: ProgramStreamsOptions) {
    this.#options = options;
  }

  /** @param accept - accepts the peer as a connection, which ends with it */
  open(accept: (peer: Peer) => Connection): ProgramPeer {
    const { newId, outboxBytesMax } = this.#options;
    const peer: ProgramPeer = new ProgramPeer(newId(), outboxBytesMax, accept, {
      join: (audience) => this.#join(audience, peer),
      leave: (audience) => this.#leave(audience, peer),
      closed: () => void this.#open.delete(peer),
    });
    this.#open.add(peer);
    return peer;
  }

  broadcast(event: LiveEvent): number {
    if (event.form === 'plain') return 0;
    let sent = 0;
    for (const audience of event.audiences) {
      for (const peer of this.#joined.get(audience) ?? []) {
        if (peer.offer([event])) sent++;
        else peer.connection.overflow(event);
      }
    }
    return sent;
  }

  /** Nothing is written: the program takes its messages from memory. */
  async ready(): Promise<void> {}

  get waitingBytes(): number {
    let bytes = 0;
    for (const peer of this.#open) bytes += peer.waitingBytes;
    return bytes;
  }

  /** Ends all subscriptions. Events that wait can still be taken. */
  end(): void {
    for (const peer of this.#open) peer.end();
  }

  #join(audience: Audience, peer: ProgramPeer): void {
    const peers = this.#joined.get(audience);
    if (peers) peers.add(peer);
    else this.#joined.set(audience, new Set([peer]));
  }

  #leave(audience: Audience, peer: ProgramPeer): void {
    const peers = this.#joined.get(audience);
    peers?.delete(peer);
    if (peers?.size === 0) this.#joined.delete(audience);
  }
}
