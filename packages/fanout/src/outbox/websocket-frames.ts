/*
 * Encodes packets of Socket.IO as WebSocket frames of a server (RFC 6455): text frames, complete and not
 * masked.
 */

const finalText = 0x81;
/** The packet type that engine.io gives to everything that Socket.IO sends: the digit 4. */
const engineMessage = 0x34;

/**
 * Up to this value the length is one byte. Else one of the next two bytes says how many bytes the length has.
 */
const shortMax = 125;
const twoBytes = 126;
const eightBytes = 127;
const twoBytesMax = 0xffff;

/** Encodes several packets, one frame after the other. */
export function encodeTextFrames(packets: readonly string[]): Buffer {
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
