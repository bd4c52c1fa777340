import { createServer } from 'node:https';
import { io as connect, type Socket as ClientSocket } from 'socket.io-client';
import { expect, onTestFinished, test } from 'vitest';
import { until as boundedUntil } from '../../../test/waits.ts';
import { fanoutAdapter, isFanoutAdapter, waitingBytesOf } from '../src/index.ts';
import {
  collect,
  countStreamWrites,
  once,
  onlySocket,
  serve,
  tcpOf,
  turn,
  until,
  warnings,
} from './harness.ts';

/** Encrypts without certificates, so that the tests need none. */
const ciphers = 'AECDH-AES256-SHA@SECLEVEL=0';

async function join(url: string): Promise<ClientSocket> {
  const client = connect(url.replace('http:', 'https:'), {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    rejectUnauthorized: false,
    ciphers,
  });
  onTestFinished(() => void client.disconnect());
  await once(client, 'connect');
  return client;
}

test('over TLS, broadcasts are one write to the stream of the socket, and waiting bytes are limited and counted once', async () => {
  const warned = warnings();
  const outboxBytesMax = 1_000_000;
  const refused = new Set<string>();
  const adapter = fanoutAdapter({
    outboxBytesMax,
    onOverflow: ({ id }) => {
      refused.add(id);
      return 'drop';
    },
  });
  const { io, url } = await serve({ adapter }, createServer({ ciphers, maxVersion: 'TLSv1.2' }));
  const client = await join(url);
  const events = collect(client);
  const socket = onlySocket(io);
  io.emit('news', 0, '');
  await turn();
  const writes = countStreamWrites(socket);
  for (let number = 1; number < 64; number++) io.emit('news', number, '');
  await turn();
  expect(writes()).toBe(1);

  const stuck = [client, await join(url), await join(url)];
  for (const each of stuck) tcpOf(each).pause();
  let number = 64;
  await boundedUntil('every stuck connection has refused something', () => refused.size >= stuck.length, {
    step: async () => {
      io.emit('news', number, 'x'.repeat(100_000));
      await turn();
      number++;
    },
    soFar: () => `${number} broadcasts, ${refused.size} connections`,
  });
  const { adapter: own } = io.of('/');
  const total = isFanoutAdapter(own) ? own.waitingBytes : Number.NaN;
  for (const each of io.sockets.sockets.values()) {
    expect(waitingBytesOf(each)).toBeGreaterThan(800_000);
    expect(waitingBytesOf(each)).toBeLessThanOrEqual(outboxBytesMax);
  }
  expect(total).toBeLessThan(2 * outboxBytesMax);
  for (const each of stuck.slice(1)) tcpOf(each).destroy();
  tcpOf(client).resume();
  await until(() => isFanoutAdapter(own) && own.waitingBytes === 0);
  socket.emit('end');
  const got = (await events).map((event) => Number(event[1]));
  expect(got).toEqual(got.toSorted((a, b) => a - b));
  expect(got.length).toBeGreaterThan(64);
  expect(warned).toEqual([]);
});
