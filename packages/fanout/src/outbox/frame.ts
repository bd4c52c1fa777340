/** Bytes to write, often to many connections: a WebSocket frame, or several frames joined. */
export class Frame {
  readonly buffer: Buffer;
  /** The number of chains and writes in flight that hold the frame. Only {@link HeldFrames} changes it. */
  holders = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }
}

/**
 * Counts the bytes of all frames that are held, each frame once. The limits of the backlog depend on this
 * count, so it checks itself: no frame is dropped more often than it was held, and without frames there are
 * no bytes.
 */
export class HeldFrames {
  readonly #onMiscount: (reason: string) => void;
  #frames = 0;
  #bytes = 0;

  /** @param onMiscount - called whenever the count was found to be wrong; it has been corrected then */
  constructor(onMiscount: (reason: string) => void = () => {}) {
    this.#onMiscount = onMiscount;
  }

  get bytes(): number {
    return this.#bytes;
  }

  hold(frame: Frame): void {
    if (frame.holders++ > 0) return;
    this.#frames++;
    this.#bytes += frame.buffer.length;
  }

  drop(frame: Frame): void {
    if (frame.holders === 0) {
      this.#onMiscount('a frame was dropped that nobody held');
      return;
    }
    if (--frame.holders > 0) return;
    this.#frames--;
    this.#bytes -= frame.buffer.length;
    if (this.#frames > 0 || this.#bytes === 0) return;
    const bytes = this.#bytes;
    this.#bytes = 0;
    this.#onMiscount(`${bytes} bytes were counted after the last frame was dropped`);
  }
}
