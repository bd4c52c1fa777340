import { Frame, type HeldFrames } from './frame.ts';

/**
 * The frames that wait for a connection: a list that is linked from the newest frame to the oldest.
 * Connections that wait for the same frames share one chain. So a frame costs a connection only a pointer,
 * and frames are joined once for all connections.
 */
export class FrameChain {
  readonly before: FrameChain | undefined;
  readonly frame: Frame;
  /** Length of this frame and all frames before it. */
  readonly bytes: number;
  /**
   * The number of connections that end here, plus the number of chains that continue from here. Not used for
   * the empty chain.
   */
  users = 0;
  /**
   * The last result of {@link FrameChains.extend} from here, while the same frame is broadcast to more
   * connections.
   */
  next: FrameChain | undefined = undefined;

  constructor(before: FrameChain | undefined, frame: Frame) {
    this.before = before;
    this.frame = frame;
    this.bytes = (before?.bytes ?? 0) + frame.buffer.length;
  }
}

/** The chains of one server. */
export class FrameChains {
  /** The chain without frames. Every chain starts here. */
  readonly empty: FrameChain = new FrameChain(undefined, new Frame(Buffer.alloc(0)));
  readonly #frames: HeldFrames;
  readonly #extended: FrameChain[] = [];

  constructor(frames: HeldFrames) {
    this.#frames = frames;
  }

  /**
   * Moves a connection to the chain with one more frame. Connections at the same chain move to the same
   * chain.
   */
  extend(chain: FrameChain, frame: Frame): FrameChain {
    let next = chain.next;
    if (next === undefined || next.frame !== frame) next = this.#add(chain, frame);
    next.users++;
    chain.users--;
    return next;
  }

  /** Releases the chain of a connection. */
  leave(chain: FrameChain): void {
    let link = chain;
    while (--link.users === 0 && link.before !== undefined) {
      this.#frames.drop(link.frame);
      // A released chain must not be extended.
      if (link.before.next === link) link.before.next = undefined;
      link = link.before;
    }
  }

  /** Called after the frame has reached every connection. A chain must not keep the chains after it alive. */
  settle(): void {
    for (const chain of this.#extended) chain.next = undefined;
    this.#extended.length = 0;
  }

  #add(chain: FrameChain, frame: Frame): FrameChain {
    const next = new FrameChain(chain, frame);
    chain.next = next;
    chain.users++;
    this.#extended.push(chain);
    this.#frames.hold(frame);
    return next;
  }
}

/**
 * The size limit of joined frames, in bytes. They are a copy, and each connection can have one copy in
 * flight.
 */
const pieceBytesMax = 65_536;

/** Finds the next piece to write from a chain. */
export type PieceOf = (chain: FrameChain, from: number) => Frame;

/**
 * Joins the oldest frames of a chain from a byte offset on. A frame that is large itself is not copied.
 *
 * @param from - the number of bytes that were already written: whole frames, and fewer than all
 */
export const pieceOf: PieceOf = (chain, from) => {
  if (isSingle(chain)) return chain.frame;
  let last: FrameChain = chain;
  let first: FrameChain = chain;
  for (let link: FrameChain = chain; link.bytes > from && link.before !== undefined; link = link.before) {
    first = link;
    // Going back from the newest frame, the piece ends with the last frame that still fits.
    if (last.bytes - from > pieceBytesMax) last = link;
  }
  if (first === last) return first.frame;
  const joined = Buffer.allocUnsafe(last.bytes - from);
  for (let link: FrameChain | undefined = last; link !== undefined && link.bytes > from; link = link.before) {
    joined.set(link.frame.buffer, link.bytes - link.frame.buffer.length - from);
  }
  return new Frame(joined);
};

function isSingle(chain: FrameChain): boolean {
  return chain.before?.before === undefined;
}

/** Makes each piece once for all connections at the same place in the same chain. */
export function sharedPieces(): PieceOf {
  const known = new Map<FrameChain, Map<number, Frame>>();
  return (chain, from) => {
    if (chain.users === 1 || isSingle(chain)) return pieceOf(chain, from);
    let pieces = known.get(chain);
    if (pieces === undefined) known.set(chain, (pieces = new Map<number, Frame>()));
    let piece = pieces.get(from);
    if (piece === undefined) pieces.set(from, (piece = pieceOf(chain, from)));
    return piece;
  };
}
