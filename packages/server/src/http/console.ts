import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { FastifyInstance } from 'fastify';
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

/** `GET /`: the page to a browser, one line of text to anything else. `GET /fanfare.js`: the SDK, for any page's script tag. */
export async function consoleRoutes(app: FastifyInstance): Promise<void> {
  const page = await read('@fanfare/console/index.html');
  app.get('/', async (request, reply) => {
    void reply.headers({ ...headers, vary: 'accept' });
    if (request.type(['text/plain', 'text/html']) === 'text/html') {
      return reply.type('text/html; charset=utf-8').send(page);
    }
    return reply
      .type('text/plain; charset=utf-8')
      .send(`${name} ${version}: subscribe with any Socket.IO client, publish with POST /publish\n`);
  });
  for (const { url, file, type } of files) {
    const content = await read(file);
    app.get(url, async (_request, reply) => reply.headers(headers).type(type).send(content));
  }
}

function read(file: string): Promise<Buffer> {
  return readFile(require.resolve(file));
}
