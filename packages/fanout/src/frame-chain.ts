import { Frame, type HeldFrames } from './frame.ts';

/**
 * The frames that wait for a connection, as a list linked from the newest to the oldest. Connections to which
 * the same frames are due share one chain, so that a frame costs a connection a pointer, and the frames are
 * joined once for all of them.
 */
export class Chain {
  readonly before: Chain | undefined;
  readonly frame: Frame;
  /** Of this frame and all before it. */
  readonly bytes: number;
  /** How many connections are here, and how many chains come after this one. (Nobody counts those of the empty chain.) */
  users = 0;
  /** Where {@link Chains.extend} went from here, while the same frame is on its way to more connections. */
  next: Chain | undefined = undefined;

  constructor(before: Chain | undefined, frame: Frame) {
    this.before = before;
    this.frame = frame;
    this.bytes = (before?.bytes ?? 0) + frame.buffer.length;
  }
}

/** The chains of one server. */
export class Chains {
  /** No frame at all; every chain starts here. */
  readonly empty: Chain = new Chain(undefined, new Frame(Buffer.alloc(0)));
  readonly #frames: HeldFrames;
  readonly #extended: Chain[] = [];

  constructor(frames: HeldFrames) {
    this.#frames = frames;
  }

  /** Moves a connection on to the chain with one frame more: every connection that is at the same chain to the same one. */
  extend(chain: Chain, frame: Frame): Chain {
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
      this.#frames.drop(link.frame);
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

  #add(chain: Chain, frame: Frame): Chain {
    const next = new Chain(chain, frame);
    chain.next = next;
    chain.users++;
    this.#extended.push(chain);
    this.#frames.hold(frame);
    return next;
  }
}

/** What is joined is a copy; this much of it may wait in the kernel's way for each connection. */
const pieceBytesMax = 65_536;

/** What of a chain to write next. */
export type PieceOf = (chain: Chain, from: number) => Frame;

/**
 * The oldest frames of a chain from an offset on, joined; a frame that is large itself comes as it is.
 *
 * @param from - how many bytes were written already: whole frames, and not all of them
 */
export const pieceOf: PieceOf = (chain, from) => {
  if (isSingle(chain)) return chain.frame;
  let last: Chain = chain;
  let first: Chain = chain;
  for (let link: Chain = chain; link.bytes > from && link.before !== undefined; link = link.before) {
    first = link;
    // Going back from the newest, the piece ends with the last frame that still fits.
    if (last.bytes - from > pieceBytesMax) last = link;
  }
  if (first === last) return first.frame;
  const joined = Buffer.allocUnsafe(last.bytes - from);
  for (let link: Chain | undefined = last; link !== undefined && link.bytes > from; link = link.before) {
    joined.set(link.frame.buffer, link.bytes - link.frame.buffer.length - from);
  }
  return new Frame(joined);
};

function isSingle(chain: Chain): boolean {
  return chain.before?.before === undefined;
}

/** Makes each piece once, for all the connections that are at the same place in the same chain. */
export function sharedPieces(): PieceOf {
  const known = new Map<Chain, Map<number, Frame>>();
  return (chain, from) => {
    if (chain.users === 1 || isSingle(chain)) return pieceOf(chain, from);
    let pieces = known.get(chain);
    if (pieces === undefined) known.set(chain, (pieces = new Map<number, Frame>()));
    let piece = pieces.get(from);
    if (piece === undefined) pieces.set(from, (piece = pieceOf(chain, from)));
    return piece;
  };
}
