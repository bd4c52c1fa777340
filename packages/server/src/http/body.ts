import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { FanfareError } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { tooLarge } from '../message-path/admit.ts';

/** What `POST /publish` was sent. */
export interface PublishBody {
  readonly kind: 'one' | 'array' | 'lines';
  readonly text: string;
}

export interface BodyLimits {
  /** Of a body that is one message. */
  readonly publishBytesMax: number;
  /** Of a body that is many. */
  readonly batchBytesMax: number;
}

/** A body up to this size needs no room, and is not refused for others: as many as there are connections take little. */
const smallBytes = 65_536;

/** What bodies that are arriving take, all together. */
export class BodyRoom {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor({ publishBytesMax, batchBytesMax }: BodyLimits) {
    this.#bytesMax = fixedLimits.batchesArrivingMax.value * Math.max(publishBytesMax, batchBytesMax);
  }

  /** @returns whether there was so much */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  free(bytes: number): void {
    this.#bytes -= bytes;
  }
}

const openBracket = 0x5b;

/** White space of JSON, and the bytes of a byte order mark. */
const beforeJson: ReadonlySet<number> = new Set([0x20, 0x0a, 0x0d, 0x09, 0xef, 0xbb, 0xbf]);

/**
 * Reads JSON. How large it may be depends on whether it is an array, which its first characters tell: what is
 * too large is refused as soon as that is known, and not read to its end.
 */
export async function readJsonBody(
  request: IncomingMessage,
  limits: BodyLimits,
  room: BodyRoom,
): Promise<PublishBody> {
  let kind: 'one' | 'array' | undefined;
  const text = await readBody(request, room, (chunk) => {
    const first = kind ?? chunk.find((byte) => !beforeJson.has(byte));
    if (typeof first === 'number') kind = first === openBracket ? 'array' : 'one';
    return kind === 'array' ? limits.batchBytesMax : limits.publishBytesMax;
  });
  return { kind: kind ?? 'one', text };
}

/** Reads NDJSON. */
export async function readLinesBody(
  request: IncomingMessage,
  { batchBytesMax }: BodyLimits,
  room: BodyRoom,
): Promise<PublishBody> {
  return { kind: 'lines', text: await readBody(request, room, () => batchBytesMax) };
}

/** Pieces of a body that are kept as they came, at the most. Each takes a hundred bytes beside its own, and may have one. */
const piecesMax = 1_024;

/** What has come of a body: 16 MiB of one byte each would be more than a process may have. */
class Pieces {
  readonly #joined: Buffer[] = [];
  #latest: Buffer[] = [];

  add(piece: Buffer): void {
    this.#latest.push(piece);
    if (this.#latest.length < piecesMax) return;
    this.#joined.push(Buffer.concat(this.#latest));
    this.#latest = [];
  }

  whole(bytes: number): Buffer {
    return Buffer.concat([...this.#joined, ...this.#latest], bytes);
  }
}

/** @param limitAt - how large the body may be, as far as is known once a chunk has come */
function readBody(
  request: IncomingMessage,
  room: BodyRoom,
  limitAt: (chunk: Buffer) => number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const declared = Number(request.headers['content-length'] ?? 0);
    const pieces = new Pieces();
    let bytes = 0;
    let taken = 0;
    const finish = (): void => {
      request.off('data', onData).off('end', onEnd).off('error', onError);
      room.free(taken);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      const limit = limitAt(chunk);
      const more = Math.max(0, bytes - smallBytes) - taken;
      if (Math.max(bytes, declared) > limit) {
        finish();
        reject(tooLarge(limit));
      } else if (!room.take(more)) {
        finish();
        reject(new FanfareError('limit_exceeded', 'More is arriving than there is room for; try again.'));
      } else {
        taken += more;
        pieces.add(chunk);
      }
    };
    const onEnd = (): void => {
      finish();
      const text = decodeUtf8(pieces.whole(bytes));
      if (text === undefined) reject(new FanfareError('bad_request', 'The body is not UTF-8.'));
      else resolve(text);
    };
    const onError = (): void => {
      finish();
      reject(new FanfareError('bad_request', 'The body did not arrive whole.'));
    };
    request.on('data', onData).on('end', onEnd).on('error', onError);
  });
}

/** Decodes strictly, where Buffer.toString would put U+FFFD for what is no UTF-8. A byte order mark is no part of the text. */
function decodeUtf8(body: Buffer): string | undefined {
  if (!isUtf8(body)) return undefined;
  const text = body.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
