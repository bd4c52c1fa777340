import { isUtf8 } from 'node:buffer';
import { CommandError, exitCodes } from './exit-codes.ts';

/** A longer line means that the input is not a text file. */
const lineBytesMax = 134_217_728;

const lineFeed = 0x0a;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Reads lines of UTF-8, as many at a time as have arrived. Only LF and CRLF end a line, because other
 * separators, such as U+2028, may be part of JSON. A byte order mark at the start is dropped.
 *
 * @throws CommandError if a line is too long or not UTF-8, after the lines before it
 */
export async function* readLines(
  input: AsyncIterable<Buffer>,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<readonly string[], void, undefined> {
  const decoder = new LineDecoder();
  let pieces: Buffer[] = [];
  let waiting = 0;
  for await (const chunk of input) {
    onBytes?.(chunk.length);
    const end = chunk.lastIndexOf(lineFeed);
    if (end >= 0) {
      const whole = Buffer.concat([...pieces, chunk.subarray(0, end)]);
      pieces = [];
      waiting = 0;
      yield* decoder.decode(whole);
    }
    const rest = chunk.subarray(end + 1);
    pieces.push(rest);
    waiting += rest.length;
    if (waiting > lineBytesMax)
      throw new CommandError(
        exitCodes.usage,
        `A line of the standard input is longer than ${lineBytesMax} bytes.`,
      );
  }
  for (const lines of decoder.decode(Buffer.concat(pieces))) {
    // After the last line feed, an empty rest is not a line.
    if (lines.join('') !== '') yield lines;
  }
}

class LineDecoder {
  /** The number of decoded lines. */
  #count = 0;

  /** @throws CommandError */
  *decode(given: Buffer): Generator<readonly string[], void, undefined> {
    const bytes = this.#count === 0 ? withoutMark(given) : given;
    const isWhole = isUtf8(bytes);
    const end = isWhole ? bytes.length : startOfBadLine(bytes);
    if (isWhole || end > 0) {
      // Before a line that is not UTF-8, the line feed is left out.
      const lines = bytes.toString('utf8', 0, isWhole ? end : end - 1).split('\n');
      this.#count += lines.length;
      yield lines.map(withoutReturn);
    }
    if (!isWhole)
      throw new CommandError(
        exitCodes.refused,
        `Line ${this.#count + 1} of the standard input is not UTF-8: convert the input first, for example with iconv -f LATIN1 -t UTF-8`,
      );
  }
}

/** @throws CommandError when the input is UTF-16 */
function withoutMark(bytes: Buffer): Buffer {
  if (isUtf16(bytes))
    throw new CommandError(
      exitCodes.refused,
      'The standard input is UTF-16, not UTF-8: convert it first, for example with iconv -f UTF-16 -t UTF-8',
    );
  return bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark)
    ? bytes.subarray(byteOrderMark.length)
    : bytes;
}

/**
 * Detects UTF-16 by its byte order mark. Without a mark, it looks at the first characters: in UTF-16, every
 * second byte of ASCII text is zero.
 */
function isUtf16(bytes: Buffer): boolean {
  const [first, second, third, fourth] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  const isZero = [first, second, third, fourth].map((byte) => byte === 0);
  return String(isZero) === 'true,false,true,false' || String(isZero) === 'false,true,false,true';
}

function startOfBadLine(bytes: Buffer): number {
  let start = 0;
  for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, start)) {
    if (!isUtf8(bytes.subarray(start, end))) return start;
    start = end + 1;
  }
  return start;
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
