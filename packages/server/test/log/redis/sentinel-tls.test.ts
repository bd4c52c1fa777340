import { createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { openLink } from '../../../src/log/redis/redis-link.ts';
import { parseRedisUrl } from '../../../src/log/redis/redis-url.ts';
import { soonMs, startListening, within } from '../../../../../test/waits.ts';

/** The first byte of a TLS handshake. */
const handshake = 22;

it.each([
  ['rediss', handshake],
  ['redis', '*'.charCodeAt(0)],
])('with %s+sentinel://, a server speaks to Sentinels as the scheme says', async (scheme, expected) => {
  let resolve: (byte: number | undefined) => void = () => {};
  const first = new Promise<number | undefined>((settle) => (resolve = settle));
  const sentinel = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      resolve(data[0]);
      socket.destroy();
    });
  });
  onTestFinished(() => void sentinel.close());
  const port = await startListening(sentinel);
  const link = openLink(parseRedisUrl(`${scheme}+sentinel://127.0.0.1:${port}/mymaster`));
  const failure = link.catch((error: Error) => error.message);
  expect(await within(soonMs, 'the Sentinel is asked', first)).toBe(expected);
  expect(await within(soonMs, 'the connection fails', failure)).toContain('cannot be reached');
});
