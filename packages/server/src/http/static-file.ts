import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { varyOn } from '../access/cross-origin.ts';

/** The headers of all files and pages. */
export const fileHeaders = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

/** The media type of a script. */
export const script = 'text/javascript; charset=utf-8';

/** A file, compressed, and its entity tag. */
interface Prepared {
  readonly whole: Buffer;
  readonly zipped: Buffer;
  readonly etag: string;
}

/**
 * Adds a route for a file. It is read on the first request: most servers never get one.
 *
 * @param headers - in addition to {@link fileHeaders}
 */
export function fileRoute(
  app: FastifyInstance,
  url: string,
  type: string,
  read: () => Promise<Buffer>,
  headers: Readonly<Record<string, string>> = {},
): void {
  let preparing: Promise<Prepared> | undefined;
  app.get(url, async (request, reply) => {
    const { whole, zipped, etag } = await (preparing ??= prepare(read));
    void reply.headers({ ...fileHeaders, ...headers, etag, vary: varyOn('Accept-Encoding') }).type(type);
    if (request.headers['if-none-match']?.includes(etag) === true) return reply.code(304).send();
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(whole);
    return reply.header('content-encoding', 'gzip').send(zipped);
  });
}

async function prepare(read: () => Promise<Buffer>): Promise<Prepared> {
  const whole = await read();
  const digest = createHash('sha256').update(whole).digest('base64url').slice(0, 22);
  return { whole, zipped: await promisify(gzip)(whole), etag: `W/"${digest}"` };
}
