import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { originForm } from './request-target.ts';
import { fileRoute, script } from './static-file.ts';

const require = createRequire(import.meta.url);

/** The builds of the Socket.IO client for script tags. */
const builds = ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js'] as const;

const path = '/socket.io';

const pattern = /^\/socket\.io\/socket\.io(?:\.esm)?(?:\.min)?\.js(?:\.map)?(?:\?|$)/;

/** Whether a request is for the Socket.IO client. */
export function isClientScript({ url = '' }: Pick<IncomingMessage, 'url'>): boolean {
  return pattern.test(originForm(url));
}

/** `GET /socket.io/socket.io.js`: the Socket.IO client, at the address that its documentation names. */
export async function clientScripts(app: FastifyInstance): Promise<void> {
  const directory = join(dirname(require.resolve('socket.io-client/package.json')), 'dist');
  for (const build of builds) {
    fileRoute(app, `${path}/${build}`, script, () => readFile(join(directory, build)));
    const map = `${build}.map`;
    fileRoute(app, `${path}/${map}`, 'application/json', () => readFile(join(directory, map)));
  }
}
