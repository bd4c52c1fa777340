const nothing = Buffer.alloc(0);

/** Counts the WebSocket frames (RFC 6455, 5.2) in the bytes that a client sends. It keeps none of their content. */
export class FrameCount {
  readonly #max: number;
  #frames = 0;
  /** The part of a frame's head that has arrived. */
  #head: Buffer = nothing;
  /** The bytes of a frame that have not arrived. */
  #restBytes = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Counts the frames that begin in a chunk. Must not be called again after the limit was exceeded.
   *
   * @returns the number of bytes before the first frame that exceeds the limit; the length of the chunk when there is none
   */
  add(chunk: Buffer): number {
    const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    let at = this.#restBytes;
    while (at < bytes.length) {
      const end = frameEnd(bytes, at);
      if (end === undefined) break;
      if (++this.#frames > this.#max) return Math.max(0, at - this.#head.length);
      at = end;
    }
    this.#restBytes = Math.max(0, at - bytes.length);
    // Copied: it is a part of all that was read with it.
    this.#head = at < bytes.length ? Buffer.from(bytes.subarray(at)) : nothing;
    return chunk.length;
  }
}

/** @returns the offset after a frame; undefined when its head has not arrived whole */
function frameEnd(bytes: Buffer, at: number): number | undefined {
  const second = bytes[at + 1];
  if (second === undefined) return undefined;
  const maskBytes = second >= 0x80 ? 4 : 0;
  const short = second & 0x7f;
  const lengthAt = at + 2;
  if (short < 126) return lengthAt + maskBytes + short;
  const lengthBytes = short === 126 ? 2 : 8;
  const payloadAt = lengthAt + lengthBytes + maskBytes;
  if (lengthAt + lengthBytes > bytes.length) return undefined;
  if (short === 126) return payloadAt + bytes.readUInt16BE(lengthAt);
  return payloadAt + bytes.readUInt32BE(lengthAt) * 2 ** 32 + bytes.readUInt32BE(lengthAt + 4);
}
