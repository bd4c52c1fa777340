import type { Audience } from './peer-events.ts';

/** The peers of a client end that have joined each audience. */
export class AudienceMembers<P> {
  readonly #members = new Map<Audience, Set<P>>();

  join(audience: Audience, peer: P): void {
    const peers = this.#members.get(audience);
    if (peers) peers.add(peer);
    else this.#members.set(audience, new Set([peer]));
  }

  leave(audience: Audience, peer: P): void {
    const peers = this.#members.get(audience);
    peers?.delete(peer);
    if (peers?.size === 0) this.#members.delete(audience);
  }

  of(audience: Audience): Iterable<P> {
    return this.#members.get(audience) ?? [];
  }
}
