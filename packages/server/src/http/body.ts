import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { FanfareError } from '@fanfare/protocol';
import { Arrival, ArrivalBudget } from '../limits/arrival-budget.ts';
import type { NodeInside } from '../insides/node-inside.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { tooLarge } from '../message-path/refusals.ts';

/** The body of `POST /publish`. */
export interface PublishBody {
  readonly kind: 'one' | 'array' | 'lines';
  readonly text: string;
}

export interface BodyLimits {
  /** The limit for a body with one message. */
  readonly publishBytesMax: number;
  /** The limit for a body with many messages. */
  readonly batchBytesMax: number;
}

/** The budget for all bodies that have arrived in part. */
export function bodyBudget(limits: BodyLimits): ArrivalBudget {
  return new ArrivalBudget(
    () => fixedLimits.batchesArrivingMax.value * Math.max(limits.publishBytesMax, limits.batchBytesMax),
  );
}

const openBracket = 0x5b;

/** The white space of JSON, and the bytes of a byte order mark. */
const beforeJson: ReadonlySet<number> = new Set([0x20, 0x0a, 0x0d, 0x09, 0xef, 0xbb, 0xbf]);

/** Whether a JSON body is one message or an array. Undefined if the bytes are only white space before it. */
export function kindOf(bytes: Buffer): 'one' | 'array' | undefined {
  for (const byte of bytes) if (!beforeJson.has(byte)) return byte === openBracket ? 'array' : 'one';
  return undefined;
}

/**
 * Reads a JSON body. An array has another limit, and the first characters show whether the body is an array.
 * A body that is too large is refused as soon as this is known, and the rest is discarded.
 */
export async function readJsonBody(
  request: IncomingMessage,
  limits: BodyLimits,
  budget: ArrivalBudget,
  discard: NodeInside['discard'],
): Promise<PublishBody> {
  let kind: 'one' | 'array' | undefined;
  const text = await readBody(request, budget, discard, (chunk) => {
    kind ??= kindOf(chunk);
    return kind === 'array' ? limits.batchBytesMax : limits.publishBytesMax;
  });
  return { kind: kind ?? 'one', text };
}

/** Reads an NDJSON body. */
export async function readLinesBody(
  request: IncomingMessage,
  { batchBytesMax }: BodyLimits,
  budget: ArrivalBudget,
  discard: NodeInside['discard'],
): Promise<PublishBody> {
  return { kind: 'lines', text: await readBody(request, budget, discard, () => batchBytesMax) };
}

/** How many pieces a body can have in addition to one for every {@link pieceBytesMin} bytes. */
const { value: piecesMax } = fixedLimits.bodyPiecesMax;

/** Maximum number of pieces that are not joined. A piece of one byte takes some hundred bytes more. */
const unjoinedMax = 64;

/**
 * The bytes for which a body can have one more piece. Many smaller pieces would take time from other clients.
 */
const pieceBytesMin = 16;

/**
 * The arrived part of a body. Its pieces are joined from time to time: 16 MiB in tiny pieces would exceed the
 * memory.
 */
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

/** @param limitAt - returns the limit for the body, as far as it is known after a chunk */
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
      // The rest is discarded inside Node: one read can bring ten thousand pieces, and an event for each
      // takes time.
      discard(request);
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      const limit = limitAt(chunk);
      pieces.add(chunk);
      if (Math.max(pieces.bytes, declared) > limit) refuse(tooLarge(limit));
      else if (!arrival.hold(pieces.bytes, 0))
        refuse(
          new FanfareError(
            'limit_exceeded',
            'The server is receiving too many large bodies at once: retry later.',
          ),
        );
      else if (pieces.areTooSmall)
        refuse(
          new FanfareError('bad_request', 'The body arrives in too many small pieces: send larger chunks.'),
        );
    };
    const onEnd = (): void => {
      finish();
      const text = decodeUtf8(pieces.whole());
      if (text === undefined) reject(new FanfareError('bad_request', 'The body must be UTF-8.'));
      else resolve(text);
    };
    const onError = (): void =>
      refuse(new FanfareError('bad_request', 'The connection ended before the body was complete.'));
    request.on('data', onData).on('end', onEnd).on('error', onError);
  });
}

/**
 * Decodes strictly: `Buffer.toString` would replace invalid bytes by U+FFFD. A byte order mark is not part of
 * the text.
 */
export function decodeUtf8(body: Buffer): string | undefined {
  if (!isUtf8(body)) return undefined;
  const text = body.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
