/**
 * The frames that wait for a connection, as a list linked from the newest to the oldest. Connections to which
 * the same frames are due share one chain, so that a frame costs a connection a pointer, and the frames are
 * joined once for all of them.
 */
export class Chain {
  readonly before: Chain | undefined;
  readonly frame: Buffer;
  /** Of this frame and all before it. */
  readonly bytes: number;
  /** How many connections are here, and how many chains come after this one. (Nobody counts those of the empty chain.) */
  users = 0;
  /** Where {@link Chains.extend} went from here, while the same frame is on its way to more connections. */
  next: Chain | undefined = undefined;

  constructor(before: Chain | undefined, frame: Buffer) {
    this.before = before;
    this.frame = frame;
    this.bytes = (before?.bytes ?? 0) + frame.length;
  }
}

/** The chains of one server. */
export class Chains {
  /** No frame at all; every chain starts here. */
  readonly empty: Chain = new Chain(undefined, Buffer.alloc(0));
  readonly #extended: Chain[] = [];
  #bytes = 0;

  /** Of all frames that wait for somebody, each once. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Moves a connection on to the chain with one frame more: every connection that is at the same chain to the same one. */
  extend(chain: Chain, frame: Buffer): Chain {
    let next = chain.next;
    if (next === undefined || next.frame !== frame) next = this.#add(chain, frame);
    next.users++;
    chain.users--;
    return next;
  }

  /** A connection does not need a chain any more. */
  leave(chain: Chain): void {
    let link = chain;
    while (--link.users === 0 && link.before !== undefined) {
      this.#bytes -= link.frame.length;
      // What is given up must not be extended.
      if (link.before.next === link) link.before.next = undefined;
      link = link.before;
    }
  }

  /** The frame has reached every connection: a chain must not keep alive what comes after it. */
  settle(): void {
    for (const chain of this.#extended) chain.next = undefined;
    this.#extended.length = 0;
  }

  #add(chain: Chain, frame: Buffer): Chain {
    const next = new Chain(chain, frame);
    chain.next = next;
    chain.users++;
    this.#extended.push(chain);
    this.#bytes += frame.length;
    return next;
  }
}

/** The bytes of a chain's frames, the oldest first. */
export function join(chain: Chain): Buffer {
  const { frame, before } = chain;
  if (before === undefined || before.before === undefined) return frame;
  const joined = Buffer.allocUnsafe(chain.bytes);
  for (let link: Chain | undefined = chain; link !== undefined; link = link.before) {
    joined.set(link.frame, link.bytes - link.frame.length);
  }
  return joined;
}
