import { io } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { nextEvent, until } from '../../../test/waits.ts';
import { eventPacket } from '../src/index.ts';
import { startEngine } from './harness.ts';

it.each(['the streams of Node', 'the handles of the sockets'])(
  'events, acknowledgements and pings stay whole and in order with writes through %s',
  async (way) => {
    const { url, engine, app } = await startEngine();
    if (way === 'the handles of the sockets') await engine.useDirectWrites();
    const sockets = [1, 2].map(() => io(url, { transports: ['websocket'], forceNew: true }));
    onTestFinished(() => sockets.forEach((socket) => socket.close()));
    await Promise.all(sockets.map((socket) => nextEvent(socket, 'connect', 'a client connects')));
    const received = sockets.map((socket) => {
      const numbers: unknown[] = [];
      socket.on('news', (at: unknown) => numbers.push(at));
      return numbers;
    });
    // Small and large ones, so that frames have lengths of all three sizes, and the kernel is full at times.
    const fill = (at: number): string => 'x'.repeat(at % 100 === 0 ? 300_000 : at % 200);
    const answers: Promise<unknown>[] = [];
    let sent = 0;
    await until('500 events are sent', () => sent === 500, {
      step: async () => {
        for (let at = 0; at < 20; at++, sent++) {
          const packet = eventPacket('news', `${sent},${JSON.stringify(fill(sent))}`);
          engine.broadcast(app.clients, packet, (client) => client.close());
        }
        const [first] = sockets;
        if (first) answers.push(first.emitWithAck('echo', sent) as Promise<unknown>);
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    const all = [...Array(500).keys()];
    await until('all events come', () => received.every(({ length }) => length >= 500));
    expect(received).toEqual([all, all]);
    expect(await Promise.all(answers)).toEqual(all.filter((at) => at % 20 === 0).map((at) => at + 20));
    await until('nothing waits', () => engine.waitingBytes === 0);
  },
);
