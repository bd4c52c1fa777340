import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { FastifyInstance } from 'fastify';
import { varyOn } from '../access/cross-origin.ts';
import { name, version } from '../version.ts';
import { fileHeaders, fileRoute, script } from './static-file.ts';

const require = createRequire(import.meta.url);

const files = [
  { url: '/fanfare.js', file: '@fanfare/client/fanfare.js', type: script },
  { url: '/console/console.js', file: '@fanfare/console/console.js', type: script },
  { url: '/console/console.css', file: '@fanfare/console/console.css', type: 'text/css; charset=utf-8' },
] as const;

/**
 * `GET /`: the console for browsers, and one line of text for other clients. `GET /fanfare.js`: the SDK, for
 * a script tag.
 */
export async function consoleRoutes(app: FastifyInstance): Promise<void> {
  const page = await read('@fanfare/console/index.html');
  app.get('/', async (request, reply) => {
    void reply.headers({ ...fileHeaders, vary: varyOn('Accept') });
    if (request.type(['text/plain', 'text/html']) === 'text/html') {
      return reply.type('text/html; charset=utf-8').send(page);
    }
    return reply
      .type('text/plain; charset=utf-8')
      .send(`${name} ${version}: subscribe with any Socket.IO client, publish with POST /publish\n`);
  });
  // Load balancers use this as a health check.
  app.options('/', async (_request, reply) => reply.header('allow', 'GET, HEAD, OPTIONS').send());
  for (const { url, file, type } of files) fileRoute(app, url, type, () => read(file));
}

function read(file: string): Promise<Buffer> {
  return readFile(require.resolve(file));
}
