import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { connectClient } from '../harness.ts';
import { connectDeaf, frame, text } from './deaf-clients.ts';
import { GoodClient } from './good-client.ts';
import { ProbedServer } from './probed-server.ts';
import { RawWebSocket } from './wire.ts';

const mebibyte = 2 ** 20;

/** Sends it again and again, until the server has read so many bytes, or reads no more. */
async function flood(server: ProbedServer, socket: Socket, what: Buffer, bytes: number): Promise<void> {
  const piece = Buffer.concat(Array.from({ length: Math.ceil(65_536 / what.length) }, () => what));
  const pump = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', pump);
  pump();
  for (let taken = 0, idle = 0; taken < bytes && idle < 20 && !socket.destroyed;) {
    await server.ask();
    const now = socket.bytesWritten - socket.writableLength;
    idle = now === taken ? idle + 1 : 0;
    taken = now;
  }
  socket.off('drain', pump);
}

/** What has an answer, or looks as if it had; of pings, more than the kernel holds for the server. */
const floods: readonly (readonly [string, Buffer, number])[] = [
  ['pings of WebSocket', frame(0x9, 'x'.repeat(125)), 96],
  ['pongs of WebSocket', frame(0xa, 'x'.repeat(125)), 96],
  ['pongs of Engine.IO', text('3'), 16],
  ['commands with an acknowledgement', text('420["subscribe",{"topic":"news"}]'), 16],
  ['commands that are refused', text('42["publish"]'), 16],
  ['events that there are not', text('42["nothing"]'), 16],
  ['requests for a namespace that there is not', text('40/nothing,'), 32],
  ['events to a namespace that there is not', text('42/nothing,["a"]'), 16],
  ['acknowledgements of nothing', text('437[]'), 16],
];

it.each(floods)(
  'a client that sends and never reads takes little memory, and nobody notices: %s',
  { timeout: 60_000 },
  async (_what, sent, mebibytes) => {
    const server = await ProbedServer.fanfare(['--memory']);
    const good = await GoodClient.of(server.url, await connectClient(server.url));
    const socket = await connectDeaf(server.url);
    const before = await server.ask();
    await flood(server, socket, sent, mebibytes * mebibyte);
    const after = await server.ask();
    // A process that has had much to do takes some dozen more than before; what is kept would be hundreds.
    expect((after?.rssBytes ?? 0) - (before?.rssBytes ?? 0)).toBeLessThan(128 * mebibyte);
    expect(await good.complaint()).toBeUndefined();
    expect([server.isGone, server.failures]).toEqual([false, []]);
  },
);

it('who sends pings and reads has the last one answered', async () => {
  const { url } = await ProbedServer.fanfare(['--memory']);
  const client = await RawWebSocket.open(url);
  const pongs: string[] = [];
  const last = new Promise<void>((resolve) => {
    client.socket.on('pong', (data) => {
      pongs.push(data.toString());
      if (data.toString() === '999') resolve();
    });
  });
  client.socket.ping('alone');
  await once(client.socket, 'pong');
  for (let at = 0; at < 1_000; at++) client.socket.ping(String(at));
  await last;
  // In their order, and none of something that was not sent.
  const [first, ...rest] = pongs;
  expect(first).toBe('alone');
  expect(rest).toEqual(rest.toSorted((a, b) => Number(a) - Number(b)));
});
