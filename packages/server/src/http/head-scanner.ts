/** The end of a request's head. */
const emptyLine = Buffer.from('\n\r\n');

const lineFeed = 0x0a;

const upgradeName = '\nupgrade:';

/** A head and the bytes that follow it are one portion when they are not longer than this. */
const smallBytes = 2_048;

const nothing = Buffer.alloc(0);

/** The state of a head that has not ended. */
interface Begun {
  /** The last bytes of the head so far. The end of the head can be split over two reads. */
  readonly tail: Buffer;
  readonly offersUpgrade: boolean;
}

const notBegun: Begun = { tail: nothing, offersUpgrade: false };

/** A part of the received bytes. It has the end of at most one head. */
export interface HeadPortion {
  readonly bytes: number;
  /** The number of these bytes after the end of the head. Undefined if the head does not end here. */
  readonly bytesAfterHead: number | undefined;
  /** The length of the request by its head. Later bytes belong to another request. */
  readonly requestBytes: number;
  /** Whether the head requests an upgrade. Determined only if bytes follow this portion. */
  readonly offersUpgrade: boolean;
  readonly begun: Begun;
}

/** Finds the ends of request heads in the bytes of a connection. */
export class HeadScanner {
  #begun = notBegun;

  /**
   * Finds the next portion.
   *
   * @param bytes - the next bytes of a head that has begun, or a head and the bytes after it
   */
  next(bytes: Buffer): HeadPortion {
    const { tail, offersUpgrade: hasOffered } = this.#begun;
    const known = tail.length === 0 ? bytes : Buffer.concat([tail, bytes]);
    const found = known.indexOf(emptyLine);
    const end = found < 0 ? known.length : found + emptyLine.length;
    if (found >= 0 && bytes.length <= smallBytes && !hasHeadEnd(known, end))
      return portion(bytes.length, known.length - end, bytes.length, false);
    const head = known.toString('latin1', 0, end).toLowerCase();
    const offersUpgrade = hasOffered || head.startsWith('connect ') || head.includes(upgradeName);
    // Copied: a subarray would keep the whole read in memory.
    if (found < 0)
      return begun(bytes.length, Buffer.from(known.subarray(1 - upgradeName.length)), offersUpgrade);
    const headBytes = end - tail.length;
    return portion(headBytes, 0, headBytes + bodyBytesOf(head), offersUpgrade);
  }

  /** Moves to the bytes after a portion. */
  advance(taken: HeadPortion): void {
    this.#begun = taken.begun;
  }
}

/** Whether another head ends after a place. In most bodies there is no line feed, which is found faster. */
function hasHeadEnd(bytes: Buffer, from: number): boolean {
  return bytes.includes(lineFeed, from) && bytes.includes(emptyLine, from);
}

function portion(
  bytes: number,
  bytesAfterHead: number,
  requestBytes: number,
  offersUpgrade: boolean,
): HeadPortion {
  return { bytes, bytesAfterHead, requestBytes, offersUpgrade, begun: notBegun };
}

function begun(bytes: number, tail: Buffer, offersUpgrade: boolean): HeadPortion {
  return {
    bytes,
    bytesAfterHead: undefined,
    requestBytes: bytes,
    offersUpgrade,
    begun: { tail, offersUpgrade },
  };
}

/** Used only to find out whether another request follows. Node's own parser interprets the head. */
function bodyBytesOf(head: string): number {
  if (head.includes('\ntransfer-encoding:')) return Infinity;
  return Number(/\ncontent-length:[ \t]*(\d+)/.exec(head)?.[1] ?? 0);
}
