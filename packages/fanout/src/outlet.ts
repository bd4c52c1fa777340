import { pieceOf, type Chain, type Chains, type PieceOf } from './chain.ts';
import { Frame } from './frame.ts';
import type { Connection, Intercept, Wire, Wires } from './internals.ts';

interface Sent {
  /** Where in the chain its frame ends. */
  readonly position: number;
  readonly callback: ((error?: Error) => void) | undefined;
}

/**
 * The direct way to a websocket: frames are collected, and written when it is asked for and the kernel takes them.
 * What engine.io and ws send goes behind what was collected before.
 */
export class Outlet {
  readonly #chains: Chains;
  readonly #onChange: () => void;
  #wire: Wire | undefined;
  #chain: Chain;
  /** How much of the chain was written. */
  #from = 0;
  /** Whether the kernel has to take something before more is written. */
  #isBlocked = false;
  /** What of engine.io and ws waits in the chain, or for the kernel. */
  #sent: Sent[] = [];

  /** @param onChange - called when the kernel has taken what it was given, and when something of engine.io has to wait */
  constructor(chains: Chains, onChange: () => void) {
    this.#chains = chains;
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

  /** What was collected and not written. */
  get pendingBytes(): number {
    return this.#chain.bytes - this.#from;
  }

  get waitingBytes(): number {
    return this.pendingBytes + (this.#wire?.writer.inFlightBytes ?? 0);
  }

  get takenBytes(): number {
    return this.#wire?.writer.takenBytes ?? 0;
  }

  collect(frame: Frame): void {
    this.#chain = this.#chains.extend(this.#chain, frame);
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

  /** Nothing more can be written. */
  close(): void {
    const sent = this.#sent;
    this.#sent = [];
    this.#clear();
    for (const { callback } of sent) callback?.(new Error('The connection was closed.'));
  }

  readonly #intercept: Intercept = (parts, callback) => {
    this.write();
    if (!this.#isBlocked) return false;
    this.collect(new Frame(Buffer.concat(parts.map((part) => Buffer.from(part)))));
    this.#chains.settle();
    this.#sent.push({ position: this.#chain.bytes, callback });
    this.#onChange();
    return true;
  };

  #unblock(): void {
    this.#isBlocked = false;
    this.#acknowledge();
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
