import { AudienceMembers } from '../message-path/audience-members.ts';
import type { Connection } from '../message-path/connection.ts';
import type { FanOut } from '../message-path/fan-out.ts';
import type { LiveEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';
import { ProgramPeer } from './program-peer.ts';

export interface ProgramStreamsOptions {
  /** The maximum size of the queue of a subscription, in bytes. A reload can change it. */
  readonly limits: { readonly outboxBytesMax: number };
  /** Makes an id for a subscription. Nobody must be able to guess it. */
  readonly newId: () => string;
}

/** The fan-out to the subscriptions of the app that Fanfare is part of. */
export class ProgramStreams implements FanOut {
  readonly #options: ProgramStreamsOptions;
  readonly #open = new Set<ProgramPeer>();
  readonly #members = new AudienceMembers<ProgramPeer>();

  constructor(options: ProgramStreamsOptions) {
    this.#options = options;
  }

  /** @param accept - makes the connection of a peer */
  open(accept: (peer: Peer) => Connection): ProgramPeer {
    const { newId, limits } = this.#options;
    const peer: ProgramPeer = new ProgramPeer(newId(), limits.outboxBytesMax, accept, {
      join: (audience) => this.#members.join(audience, peer),
      leave: (audience) => this.#members.leave(audience, peer),
      closed: () => void this.#open.delete(peer),
    });
    this.#open.add(peer);
    return peer;
  }

  broadcast(event: LiveEvent): number {
    if (event.form === 'plain') return 0;
    let sent = 0;
    for (const audience of event.audiences) {
      for (const peer of this.#members.of(audience)) {
        if (peer.offer([event])) sent++;
        else peer.connection.overflow(event);
      }
    }
    return sent;
  }

  /** Resolves at once: the app takes its messages from memory, and nothing is written. */
  async ready(): Promise<void> {}

  get waitingBytes(): number {
    let bytes = 0;
    for (const peer of this.#open) bytes += peer.waitingBytes;
    return bytes;
  }

  /** Ends all subscriptions. The app can still take the events in their queues. */
  end(): void {
    for (const peer of this.#open) peer.end();
  }
}
