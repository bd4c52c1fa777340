const nothing = Buffer.alloc(0);

/** Finds the WebSocket frames (RFC 6455, 5.2) in the bytes that a client sends. It keeps no content. */
export class FrameCount {
  /** The part of a frame's head that has arrived. */
  #head = nothing;
  /** The bytes of a frame that have not arrived. */
  #restBytes = 0;

  /** @returns the number of frames whose heads are complete with this chunk */
  add(chunk: Buffer): number {
    const bytes = this.#head === nothing ? chunk : Buffer.concat([this.#head, chunk]);
    let frames = 0;
    let at = this.#restBytes;
    while (at < bytes.length) {
      const end = frameEnd(bytes, at);
      if (end === undefined) break;
      frames++;
      at = end;
    }
    this.#restBytes = Math.max(0, at - bytes.length);
    // Copied, because it is a part of everything that was read with it.
    this.#head = at < bytes.length ? Buffer.from(bytes.subarray(at)) : nothing;
    return frames;
  }
}

/** @returns the offset after a frame; undefined if its head has not arrived completely */
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
