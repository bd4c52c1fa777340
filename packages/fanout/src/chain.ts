/**
 * The frames that wait for a connection, as a list linked from the newest to the oldest. Connections to which
 * the same frames are due share one chain, so a frame costs a connection a pointer, and joining the frames is
 * done once for all of them.
 */
export class Chain {
  readonly before: Chain | undefined;
  readonly frame: Buffer;
  /** Of this frame and all before it. */
  readonly bytes: number;
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

  /** The chain with one frame more: for every connection that is at the same chain, the same one. */
  extend(chain: Chain, frame: Buffer): Chain {
    const known = chain.next;
    if (known !== undefined && known.frame === frame) return known;
    const next = new Chain(chain, frame);
    chain.next = next;
    this.#extended.push(chain);
    return next;
  }

  /** The frame has reached every connection: a chain must not keep alive what comes after it. */
  settle(): void {
    for (const chain of this.#extended) chain.next = undefined;
    this.#extended.length = 0;
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
