import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { varyOn } from '../access/cross-origin.ts';
import { name, version } from '../version.ts';

const require = createRequire(import.meta.url);

const script = 'text/javascript; charset=utf-8';

const files = [
  { url: '/fanfare.js', file: '@fanfare/client/fanfare.js', type: script },
  { url: '/console/console.js', file: '@fanfare/console/console.js', type: script },
  { url: '/console/console.css', file: '@fanfare/console/console.css', type: 'text/css; charset=utf-8' },
] as const;

const headers = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

/**
 * `GET /`: the console for browsers, and one line of text for other clients. `GET /fanfare.js`: the SDK, for
 * a script tag.
 */
export async function consoleRoutes(app: FastifyInstance): Promise<void> {
  const page = await read('@fanfare/console/index.html');
  app.get('/', async (request, reply) => {
    void reply.headers({ ...headers, vary: varyOn('Accept') });
    if (request.type(['text/plain', 'text/html']) === 'text/html') {
      return reply.type('text/html; charset=utf-8').send(page);
    }
    return reply
      .type('text/plain; charset=utf-8')
      .send(`${name} ${version}: subscribe with any Socket.IO client, publish with POST /publish\n`);
  });
  // Load balancers use this as a health check.
  app.options('/', async (_request, reply) => reply.header('allow', 'GET, HEAD, OPTIONS').send());
  for (const { url, file, type } of files) {
    const whole = await read(file);
    // Compressed on the first request: most servers start without a browser that asks.
    let prepared: Promise<Prepared> | undefined;
    app.get(url, async (request, reply) => {
      const { zipped, etag } = await (prepared ??= prepare(whole));
      void reply.headers({ ...headers, etag, vary: varyOn('Accept-Encoding') }).type(type);
      if (request.headers['if-none-match']?.includes(etag) === true) return reply.code(304).send();
      if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(whole);
      return reply.header('content-encoding', 'gzip').send(zipped);
    });
  }
}

/** A compressed file and its entity tag. */
interface Prepared {
  readonly zipped: Buffer;
  readonly etag: string;
}

async function prepare(whole: Buffer): Promise<Prepared> {
  const digest = createHash('sha256').update(whole).digest('base64url').slice(0, 22);
  return { zipped: await promisify(gzip)(whole), etag: `W/"${digest}"` };
}

function read(file: string): Promise<Buffer> {
  return readFile(require.resolve(file));
}
