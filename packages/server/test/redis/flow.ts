import type { Socket } from 'node:net';

export type Direction = 'to-server' | 'to-client';

/** What a flow asks the proxy. */
export interface Conditions {
  readonly isHeld: () => boolean;
  readonly isDiscarding: () => boolean;
  readonly delayMs: () => number;
  readonly inspect: (bytes: Buffer) => { readonly passed: Buffer; readonly thenEnd?: boolean };
  /** Resets the connection at both ends. */
  readonly cut: () => void;
}

/** Bytes, or the end of the connection, with the time at which they may go on. */
interface Piece {
  readonly content: Buffer | 'end' | 'reset';
  readonly dueAt: number;
}

/**
 * One direction of a connection through the proxy: what comes from one socket goes to the other one, in
 * order. The end of the connection goes the same way, so that it is held and delayed like bytes.
 */
export class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #conditions: Conditions;
  readonly #pieces: Piece[] = [];
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, conditions: Conditions) {
    this.#from = from.setNoDelay(true);
    this.#to = to;
    this.#conditions = conditions;
    from.on('data', (bytes) => this.#receive(bytes));
    from.once('end', () => this.#queue('end'));
    from.once('error', () => this.#queue('reset'));
    to.on('drain', () => this.pump());
    to.once('close', () => clearTimeout(this.#timer));
  }

  /** Passes on what may go on now. Must be called when the conditions have changed. */
  pump(): void {
    clearTimeout(this.#timer);
    // A held sender is not read from, so that its own buffers fill as they would on a broken network.
    if (this.#conditions.isHeld()) {
      this.#from.pause();
      return;
    }
    for (let piece = this.#pieces[0]; piece; piece = this.#pieces[0]) {
      const waitMs = piece.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      if (this.#to.writableNeedDrain) {
        this.#from.pause();
        return;
      }
      this.#pieces.shift();
      this.#pass(piece.content);
    }
    this.#from.resume();
  }

  #receive(bytes: Buffer): void {
    if (this.#isOver) return;
    const { passed, thenEnd = false } = this.#conditions.inspect(bytes);
    if (passed.length > 0) this.#queue(passed);
    if (!thenEnd) return;
    this.#queue('end');
    this.#isOver = true;
    this.#from.resetAndDestroy();
  }

  #queue(content: Piece['content']): void {
    this.#pieces.push({ content, dueAt: performance.now() + this.#conditions.delayMs() });
    this.pump();
  }

  #pass(content: Piece['content']): void {
    if (content === 'reset') this.#conditions.cut();
    else if (this.#conditions.isDiscarding() || !this.#to.writable) return;
    else if (content === 'end') this.#to.end();
    else this.#to.write(content);
  }
}
