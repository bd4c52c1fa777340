import { Buffer } from 'node:buffer';

/** The longest encoding of {@link ByteWriter.integer}. */
export const integerBytesMax = 8;

/** Writes values into a buffer of a fixed size. */
export class ByteWriter {
  readonly buffer: Buffer;
  position: number;

  constructor(bytesMax: number, position: number) {
    this.buffer = Buffer.allocUnsafe(bytesMax);
    this.position = position;
  }

  /** Writes a varint. @param value - from 0 to 2^53 - 1 */
  integer(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.position++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.position++] = rest;
  }

  byte(value: number): void {
    this.buffer[this.position++] = value;
  }

  bytes(value: Uint8Array): void {
    this.buffer.set(value, this.position);
    this.position += value.length;
  }

  text(value: string, encoding: BufferEncoding): void {
    this.position += this.buffer.write(value, this.position, encoding);
  }
}

/**
 * Reads the bytes of a {@link ByteWriter}. It trusts the bytes, so their checksum must be verified before.
 */
export class ByteReader {
  readonly #buffer: Buffer;
  position: number;

  constructor(buffer: Buffer, position: number) {
    this.#buffer = buffer;
    this.position = position;
  }

  integer(): number {
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = this.byte();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    return value;
  }

  byte(): number {
    return this.#buffer[this.position++] ?? 0;
  }

  bytes(length: number): Buffer {
    this.position += length;
    return this.#buffer.subarray(this.position - length, this.position);
  }

  text(length: number, encoding: BufferEncoding): string {
    this.position += length;
    return this.#buffer.toString(encoding, this.position - length, this.position);
  }
}

/** The index of an encoding is its number in the data. */
export const textEncodings = ['latin1', 'utf8', 'utf16le'] as const;

/** The shortest encoding that restores a text exactly, even with half a surrogate pair. */
export function textEncoding(text: string): { encoding: (typeof textEncodings)[number]; size: number } {
  const size = Buffer.byteLength(text, 'utf8');
  if (size === text.length) return { encoding: 'latin1', size };
  if (text.isWellFormed()) return { encoding: 'utf8', size };
  return { encoding: 'utf16le', size: text.length * 2 };
}
