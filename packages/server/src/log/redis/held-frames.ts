import type { Frame, RemoteState } from './library.ts';

interface HeldFrame {
  readonly frame: Frame;
  readonly bytes: number;
  readonly order: number;
}

/** Maximum size of all held frames, in bytes as they came. */
const heldBytesMax = 8_388_608;

/** Frames that came while frames before them are missing, in the order in which they came. */
export class HeldFrames {
  #frames: HeldFrame[] = [];
  #bytes = 0;
  #order = 0;

  /** Holds a frame. Beyond the limit, all earlier ones are dropped: they are read from Redis instead. */
  add(frame: Frame, bytes: number): void {
    if (this.#bytes + bytes > heldBytesMax) this.#keep([]);
    this.#bytes += bytes;
    this.#frames.push({ frame, bytes, order: ++this.#order });
  }

  /** The oldest held frame. */
  get first(): Frame | undefined {
    return this.#frames[0]?.frame;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The number of frames that were ever held. */
  get order(): number {
    return this.#order;
  }

  /** Drops frames that were held before a state of the log, but do not lead to it: another log sent them. */
  dropForeign(order: number, { epoch, batch }: RemoteState): void {
    this.#keep(
      this.#frames.filter((held) => {
        return held.order > order || (held.frame.epoch === epoch && held.frame.batch <= batch);
      }),
    );
  }

  /** Takes the oldest frames while a condition holds. */
  takeWhile(holds: (frame: Frame) => boolean, take: (frame: Frame) => void): void {
    let count = 0;
    for (const { frame } of this.#frames) {
      if (!holds(frame)) break;
      count++;
      take(frame);
    }
    if (count > 0) this.#keep(this.#frames.slice(count));
  }

  #keep(frames: HeldFrame[]): void {
    this.#frames = frames;
    this.#bytes = frames.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
