/** Bytes to write that may be due to many connections: a WebSocket frame, or several joined. */
export class Frame {
  readonly buffer: Buffer;
  /** How many chains and writes in flight need it. */
  holders = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }
}

/** Counts the bytes of all frames that somebody needs, each once. */
export class HeldFrames {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  hold(frame: Frame): void {
    if (frame.holders++ === 0) this.#bytes += frame.buffer.length;
  }

  drop(frame: Frame): void {
    if (--frame.holders === 0) this.#bytes -= frame.buffer.length;
  }
}
