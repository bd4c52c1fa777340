import { pieceOf, type Chain, type Chains, type PieceOf } from './chain.ts';
import { Frame } from './frame.ts';
import type { Connection, Intercept, Wire, Wires } from './internals.ts';
import type { Ticks } from './ticks.ts';

interface Sent {
  /** Where in the chain its frame ends. */
  readonly position: number;
  readonly callback: ((error?: Error) => void) | undefined;
}

/**
 * The direct way to a websocket: frames are collected, and written when it is asked for and the kernel takes them.
 * What engine.io and ws send is collected too, so that all stays in order.
 */
export class Outlet {
  readonly #chains: Chains;
  readonly #ticks: Ticks;
  readonly #onChange: () => void;
  #wire: Wire | undefined;
  #chain: Chain;
  /** How much of the chain was written. */
  #from = 0;
  /** Whether the kernel has to take something before more is written. */
  #isBlocked = false;
  /** What of engine.io and ws waits until the kernel has taken something. */
  #sent: Sent[] = [];
  /** In which tick engine.io would have been ready to send again. */
  #readyAt = 0;
  #isClosed = false;

  /** @param onChange - called when something can be written, or more waits */
  constructor(chains: Chains, ticks: Ticks, onChange: () => void) {
    this.#chains = chains;
    this.#ticks = ticks;
    this.#onChange = onChange;
    this.#chain = chains.empty;
  }

  /** @returns false when the connection's inside is not as known, so that there is no direct way */
  open(connection: Connection, wires: Wires): boolean {
    this.#wire = wires.take(connection, this.#intercept);
    return this.#wire !== undefined;
  }

  /** Whether what is collected now comes after all that was sent, and before a closing frame. */
  get isOpen(): boolean {
    if (this.#chain !== this.#chains.empty && !this.#isBlocked) return true;
    return this.#wire?.isOpen ?? false;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Whether engine.io would not send at once, had it sent what was collected: it drops what is volatile then. */
  get isBusy(): boolean {
    return this.#isBlocked || this.#ticks.now < this.#readyAt;
  }

  /** What was collected and not written. */
  get pendingBytes(): number {
    return this.#chain.bytes - this.#from;
  }

  get waitingBytes(): number {
    return this.pendingBytes + (this.#wire?.writer.inFlightBytes ?? 0);
  }

  /** What of it the socket's stream holds. */
  get streamBytes(): number {
    return this.#wire?.writer.streamBytes ?? 0;
  }

  get takenBytes(): number {
    return this.#wire?.writer.takenBytes ?? 0;
  }

  collect(frame: Frame): void {
    this.#chain = this.#chains.extend(this.#chain, frame);
    const { now } = this.#ticks;
    // engine.io sends the first at once, and all that come before it is ready again together in the next tick.
    this.#readyAt = now < this.#readyAt ? now + 2 : now + 1;
    this.#ticks.reach(this.#readyAt);
  }

  /** Writes until there is nothing more or the kernel takes no more. @returns how many bytes */
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
    if (!this.#isBlocked && this.#sent.length > 0) this.#acknowledge();
    return bytes;
  }

  /** engine.io has closed the connection: nothing more waits. */
  close(): void {
    this.#isClosed = true;
    const sent = this.#sent;
    this.#sent = [];
    this.#clear();
    for (const { callback } of sent) callback?.(closed());
  }

  readonly #intercept: Intercept = (parts, callback) => {
    const frame = Buffer.concat(parts.map((part) => Buffer.from(part)));
    if (this.#isClosed && this.#isBlocked) {
      if (callback) process.nextTick(callback, closed());
      return;
    }
    this.collect(new Frame(frame));
    this.#chains.settle();
    // As a stream says of what it could give to the kernel; else it is said when that was possible.
    if (this.#isBlocked) this.#sent.push({ position: this.#chain.bytes, callback });
    else if (callback) process.nextTick(callback);
    // What follows a closing frame may be the end of the socket.
    if (this.#isClosed || isClosing(frame)) this.write();
    this.#onChange();
  };

  #unblock(): void {
    this.#isBlocked = false;
    if (this.#sent.length > 0) this.#acknowledge();
    this.#onChange();
  }

  /** All of the chain was written, or nothing more of it will be. */
  #clear(): void {
    this.#chains.leave(this.#chain);
    this.#chain = this.#chains.empty;
    this.#from = 0;
    this.#sent = this.#sent.map(({ callback }) => ({ position: 0, callback }));
  }

  #acknowledge(): void {
    const written = this.#sent.filter(({ position }) => position <= this.#from);
    this.#sent = this.#sent.slice(written.length);
    for (const { callback } of written) callback?.();
  }
}

function closed(): Error {
  return new Error('The connection was closed.');
}

/** Whether a WebSocket frame is the last one of its connection. */
function isClosing(frame: Buffer): boolean {
  return frame.length > 0 && (frame.readUInt8(0) & 0x0f) === 8;
}
