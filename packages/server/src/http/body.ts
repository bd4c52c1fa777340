import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { FanfareError } from '@fanfare/protocol';
import { Arrival, ArrivalBudget } from '../limits/arrival-budget.ts';
import type { NodeInside } from '../insides/node-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { tooLarge } from '../message-path/refusals.ts';

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

/** The room for all bodies that are arriving. */
export function bodyBudget({ publishBytesMax, batchBytesMax }: BodyLimits): ArrivalBudget {
  return new ArrivalBudget(fixedLimits.batchesArrivingMax.value * Math.max(publishBytesMax, batchBytesMax));
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
  budget: ArrivalBudget,
  discard: NodeInside['discard'],
): Promise<PublishBody> {
  let kind: 'one' | 'array' | undefined;
  const text = await readBody(request, budget, discard, (chunk) => {
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
  budget: ArrivalBudget,
  discard: NodeInside['discard'],
): Promise<PublishBody> {
  return { kind: 'lines', text: await readBody(request, budget, discard, () => batchBytesMax) };
}

/** Pieces of a body, beside those that are long enough. */
const { value: piecesMax } = fixedLimits.bodyPiecesMax;

/** Pieces that are kept as they came. Each takes some hundred bytes in addition to its own, of which there may be one. */
const unjoinedMax = 64;

/** How many bytes pieces have on average, once there are more. In smaller ones it would take the time of others to come. */
const pieceBytesMin = 16;

/** What has come of a body: 16 MiB in pieces of a few bytes would be more than a process may have. */
class Pieces {
  readonly #joined: Buffer[] = [];
  #latest: Buffer[] = [];
  #count = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get areTooSmall(): boolean {
    return this.#count > piecesMax + this.#bytes / pieceBytesMin;
  }

  add(piece: Buffer): void {
    this.#count++;
    this.#bytes += piece.length;
    this.#latest.push(piece);
    if (this.#latest.length < unjoinedMax) return;
    this.#joined.push(Buffer.concat(this.#latest));
    this.#latest = [];
  }

  whole(): Buffer {
    return Buffer.concat([...this.#joined, ...this.#latest], this.#bytes);
  }
}

/** @param limitAt - how large the body may be, as far as is known once a chunk has come */
function readBody(
  request: IncomingMessage,
  budget: ArrivalBudget,
  discard: NodeInside['discard'],
  limitAt: (chunk: Buffer) => number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const declared = Number(request.headers['content-length'] ?? 0);
    const pieces = new Pieces();
    const arrival = new Arrival(budget);
    const finish = (): void => {
      request.off('data', onData).off('end', onEnd).off('error', onError);
      arrival.end();
    };
    const refuse = (error: FanfareError): void => {
      finish();
      // What still comes goes nowhere: Node would take its time to push each piece, and there may be ten thousand in one read.
      discard(request);
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      const limit = limitAt(chunk);
      pieces.add(chunk);
      if (Math.max(pieces.bytes, declared) > limit) refuse(tooLarge(limit));
      else if (!arrival.hold(pieces.bytes, 0))
        refuse(new FanfareError('limit_exceeded', 'More is arriving than there is room for; try again.'));
      else if (pieces.areTooSmall)
        refuse(new FanfareError('bad_request', 'The body comes in pieces of a few bytes.'));
    };
    const onEnd = (): void => {
      finish();
      const text = decodeUtf8(pieces.whole());
      if (text === undefined) reject(new FanfareError('bad_request', 'The body is not UTF-8.'));
      else resolve(text);
    };
    const onError = (): void => refuse(new FanfareError('bad_request', 'The body did not arrive whole.'));
    request.on('data', onData).on('end', onEnd).on('error', onError);
  });
}

/** Decodes strictly, where Buffer.toString would put U+FFFD for what is no UTF-8. A byte order mark is no part of the text. */
function decodeUtf8(body: Buffer): string | undefined {
  if (!isUtf8(body)) return undefined;
  const text = body.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
