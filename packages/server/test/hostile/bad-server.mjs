// @ts-check
// A server with a fault for one kind of request: with `crash` it ends, with `reject` it leaves a rejection
// unhandled, with `slow` it blocks its event loop, with `leak` it leaks memory, with `deaf` it never responds
// to its good clients again.
import { createServer } from 'node:http';
import { holdLoop } from './thread-time.mjs';

const [, , kind] = process.argv;
/** @type {string[]} */
const kept = [];
let isDeaf = false;

/** @type {Record<string, () => void>} */
const faults = {
  none: () => {},
  crash: () => process.exit(0),
  reject: () => void Promise.reject(new Error('nobody cares')),
  slow: () => holdLoop(70),
  leak: () => void kept.push(...Array.from({ length: 10_000 }, (_, at) => `kept ${at}`)),
  deaf: () => (isDeaf = true),
};

const server = createServer((request, response) => {
  if (request.method === 'PUT') faults[kind ?? 'none']?.();
  if (isDeaf && request.url === '/good') response.writeHead(503);
  response.end('ok');
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
});
