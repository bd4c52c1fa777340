/*
 * Packets of Socket.IO as a server's WebSocket frames (RFC 6455): each a text, complete and not masked.
 */

const finalText = 0x81;
/** engine.io's type of all that Socket.IO sends: the digit 4. */
const engineMessage = 0x34;

/** A length up to this is one byte; else one of the next two says how many bytes it has. */
const shortMax = 125;
const twoBytes = 126;
const eightBytes = 127;
const twoBytesMax = 0xffff;

/** The frames of several packets, one after the other. */
export function textFrames(packets: readonly string[]): Buffer {
  const lengths = packets.map((packet) => 1 + Buffer.byteLength(packet));
  const frames = Buffer.allocUnsafe(
    lengths.reduce((bytes, length) => bytes + headerBytes(length) + length, 0),
  );
  let end = 0;
  for (const [i, packet] of packets.entries()) {
    end = writeHeader(frames, end, lengths[i] ?? 0);
    frames[end++] = engineMessage;
    end += frames.write(packet, end);
  }
  return frames;
}

function headerBytes(length: number): number {
  if (length <= shortMax) return 2;
  return length <= twoBytesMax ? 4 : 10;
}

/** @returns where the header ends */
function writeHeader(frames: Buffer, start: number, length: number): number {
  frames[start] = finalText;
  if (length <= shortMax) {
    frames[start + 1] = length;
  } else if (length <= twoBytesMax) {
    frames[start + 1] = twoBytes;
    frames.writeUInt16BE(length, start + 2);
  } else {
    frames[start + 1] = eightBytes;
    frames.writeBigUInt64BE(BigInt(length), start + 2);
  }
  return start + headerBytes(length);
}
