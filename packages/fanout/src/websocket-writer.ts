import { pieceOf, type FrameChain, type FrameChains, type PieceOf } from './outbox/frame-chain.ts';
import { Frame } from './outbox/frame.ts';
import type { Connection, Intercept, Wire, Wires } from './internals.ts';
import type { TickCounter } from './tick-counter.ts';

/** A frame of engine.io or ws whose callback waits. */
interface InterceptedFrame {
  /** The position in the chain where the frame ends. */
  readonly position: number;
  readonly callback: ((error?: Error) => void) | undefined;
}

/**
 * Writes to a websocket past engine.io and ws. Frames are added to a chain, and written when the outbox asks
 * for it and the kernel takes them. Frames that engine.io and ws send are added to the same chain, so
 * everything stays in order.
 */
export class WebSocketWriter {
  readonly #chains: FrameChains;
  readonly #ticks: TickCounter;
  readonly #onChange: () => void;
  #wire: Wire | undefined;
  #chain: FrameChain;
  /** The number of bytes of the chain that were written. */
  #from = 0;
  /** Whether the kernel must take the last write before more is written. */
  #isBlocked = false;
  /** Frames of engine.io and ws whose callbacks wait until the kernel has taken them. */
  #intercepted: InterceptedFrame[] = [];
  /** The tick in which engine.io would have been ready to send again. */
  #readyAt = 0;
  #isClosed = false;

  /** @param onChange - called when the writer can write again, and when it has more to write */
  constructor(chains: FrameChains, ticks: TickCounter, onChange: () => void) {
    this.#chains = chains;
    this.#ticks = ticks;
    this.#onChange = onChange;
    this.#chain = chains.empty;
  }

  /** @returns false if the internals of the connection are not as expected, so that it cannot be used */
  open(connection: Connection, wires: Wires): boolean {
    this.#wire = wires.take(connection, this.#intercept);
    return this.#wire !== undefined;
  }

  /**
   * Whether a frame that is added now comes after everything that was sent before, and before a closing
   * frame.
   */
  get isOpen(): boolean {
    if (this.#chain !== this.#chains.empty && !this.#isBlocked) return true;
    return this.#wire?.isOpen ?? false;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Whether engine.io would be busy, if it had sent these frames. It drops volatile packets then. */
  get isBusy(): boolean {
    return this.#isBlocked || this.#ticks.now < this.#readyAt;
  }

  /** The number of bytes that were added and not written. */
  get pendingBytes(): number {
    return this.#chain.bytes - this.#from;
  }

  get waitingBytes(): number {
    return this.pendingBytes + (this.#wire?.writer.inFlightBytes ?? 0);
  }

  /** The number of waiting bytes that the stream of the socket holds. */
  get streamBytes(): number {
    return this.#wire?.writer.streamBytes ?? 0;
  }

  get takenBytes(): number {
    return this.#wire?.writer.takenBytes ?? 0;
  }

  add(frame: Frame): void {
    this.#chain = this.#chains.extend(this.#chain, frame);
    const { now } = this.#ticks;
    // engine.io sends the first packet at once, and the packets that follow before it is ready in one go a
    // tick later.
    this.#readyAt = now < this.#readyAt ? now + 2 : now + 1;
    this.#ticks.reach(this.#readyAt);
  }

  /**
   * Writes until nothing is left or the kernel takes no more.
   *
   * @returns the number of bytes that were written
   */
  write(nextPiece: PieceOf = pieceOf): number {
    const writer = this.#wire?.writer;
    if (!writer) return 0;
    let bytes = 0;
    while (this.#chain !== this.#chains.empty && !this.#isBlocked) {
      const frame = nextPiece(this.#chain, this.#from);
      bytes += frame.buffer.length;
      this.#from += frame.buffer.length;
      if (this.#from === this.#chain.bytes) this.#clear();
      writer.write(frame);
      if (!writer.isBlocked) continue;
      this.#isBlocked = true;
      writer.onceDrained(() => this.#unblock());
    }
    if (!this.#isBlocked && this.#intercepted.length > 0) this.#callBack();
    return bytes;
  }

  /** Called when engine.io has closed the connection. Drops everything that waits. */
  close(): void {
    this.#isClosed = true;
    const intercepted = this.#intercepted;
    this.#intercepted = [];
    this.#clear();
    for (const { callback } of intercepted) callback?.(closed());
  }

  readonly #intercept: Intercept = (parts, callback) => {
    const frame = Buffer.concat(parts.map((part) => Buffer.from(part)));
    if (this.#isClosed && this.#isBlocked) {
      if (callback) process.nextTick(callback, closed());
      return;
    }
    this.add(new Frame(frame));
    this.#chains.settle();
    // A stream calls back in the next tick if the kernel could take the bytes, and later if it could not.
    if (this.#isBlocked) this.#intercepted.push({ position: this.#chain.bytes, callback });
    else if (callback) process.nextTick(callback);
    // After a closing frame the socket may end.
    if (this.#isClosed || isClosing(frame)) this.write();
    this.#onChange();
  };

  #unblock(): void {
    this.#isBlocked = false;
    if (this.#intercepted.length > 0) this.#callBack();
    this.#onChange();
  }

  /** Called when the whole chain was written, or when nothing more of it will be written. */
  #clear(): void {
    this.#chains.leave(this.#chain);
    this.#chain = this.#chains.empty;
    this.#from = 0;
    this.#intercepted = this.#intercepted.map(({ callback }) => ({ position: 0, callback }));
  }

  #callBack(): void {
    const written = this.#intercepted.filter(({ position }) => position <= this.#from);
    this.#intercepted = this.#intercepted.slice(written.length);
    for (const { callback } of written) callback?.();
  }
}

function closed(): Error {
  return new Error('The connection was closed.');
}

/** Whether a WebSocket frame is the last frame of its connection. */
function isClosing(frame: Buffer): boolean {
  return frame.length > 0 && (frame.readUInt8(0) & 0x0f) === 8;
}
