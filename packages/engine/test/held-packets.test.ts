import { KernelWriter } from '@fanfare/fanout/outbox';
import { io } from 'socket.io-client';
import { expect, it, onTestFinished, vi } from 'vitest';
import { nextEvent, until } from '../../../test/waits.ts';
import { eventPacket } from '../src/index.ts';
import { startEngine, type Started } from './harness.ts';

const numbers = [0, 1, 2, 3, 4];

/** Broadcasts a number in each of five turns that follow one another. */
async function broadcastInTurns({ engine, app }: Started, afterEach: () => void): Promise<void> {
  // On a busy machine, five turns may take more than the millisecond for which packets are held.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
  onTestFinished(() => clock.mockRestore());
  for (const number of numbers) {
    engine.broadcast(app.clients, eventPacket('news', String(number)), (client) => client.close());
    await new Promise((resolve) => setImmediate(resolve));
    afterEach();
  }
}

it('packets of turns that follow one another are one write to a websocket', async () => {
  const started = await startEngine();
  const socket = io(started.url, { transports: ['websocket'], forceNew: true });
  onTestFinished(() => void socket.close());
  await nextEvent(socket, 'connect', 'the client connects');
  const received: unknown[] = [];
  socket.on('news', (number: unknown) => received.push(number));
  const write = vi.spyOn(KernelWriter.prototype, 'write');
  onTestFinished(() => write.mockRestore());
  await broadcastInTurns(started, () => expect(write).not.toHaveBeenCalled());
  await until('all events come', () => received.length === numbers.length);
  expect(received).toEqual(numbers);
  expect(write).toHaveBeenCalledOnce();
});

it('packets of turns that follow one another are one response to a client that polls', async () => {
  const started = await startEngine();
  const target = `${started.url}/socket.io/?EIO=4&transport=polling`;
  const opened = await (await fetch(target)).text();
  const { sid } = JSON.parse(opened.slice(1)) as { readonly sid: string };
  const session = `${target}&sid=${sid}`;
  await (await fetch(session, { method: 'POST', body: '40' })).text();
  await (await fetch(session)).text();
  const waits = nextEvent(started.httpServer, 'request', 'the client polls');
  const poll = fetch(session);
  await waits;
  await broadcastInTurns(started, () => {});
  const response = await (await poll).text();
  expect(response.split('\u001E')).toEqual(numbers.map((number) => `42["news",${number}]`));
});
