import type { Subscribed } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';
import { describe, expect, it } from 'vitest';
import { nextEvent } from '../../../../test/waits.ts';
import { connectClient, transports } from '../harness.ts';
import { runPython } from '../python-program.ts';
import { homeOf, startBalancer, startNodes, StaticDirectory } from './three-nodes.ts';

/** Counts what must not happen: clients that lose their connection. */
function watchLosses(clients: readonly Socket[]): string[] {
  const losses: string[] = [];
  for (const client of clients) client.on('disconnect', (reason) => losses.push(reason));
  return losses;
}

describe('three nodes behind nginx that sends each request to another node', () => {
  it.each(
    transports.flatMap((transport) => [
      [transport, 'without TLS', false] as const,
      [transport, 'with TLS', true] as const,
    ]),
  )(
    'a stock client over %s needs no sticky sessions: it subscribes, publishes and receives through any node, %s between nodes',
    async (transport, _how, usesTls) => {
      const { nodes } = await startNodes({}, new StaticDirectory(() => usesTls));
      const url = await startBalancer(nodes);
      const clients = await Promise.all(Array.from({ length: 12 }, () => connectClient(url, transport)));
      const losses = watchLosses(clients);
      const use = async (client: Socket, at: number): Promise<void> => {
        const topic = `topic ${at}`;
        const subscribed = (await client.emitWithAck('subscribe', { topic })) as Subscribed;
        expect(subscribed).toMatchObject({ ok: true, topic });
        for (let message = 0; message < 20; message++) {
          const received = nextEvent(client, topic, 'the message comes through nginx');
          expect(await client.emitWithAck('publish', { topic, message })).toMatchObject({ ok: true });
          expect(await received).toEqual({ message });
        }
        expect(await client.emitWithAck('unsubscribe', { topic })).toMatchObject({ ok: true });
      };
      await Promise.all(clients.map(use));
      expect(losses).toEqual([]);
      expect(clients.map(({ io }) => io.engine.transport.name)).toEqual(
        clients.map(() => (transport === 'upgrade' ? 'websocket' : transport)),
      );
    },
  );

  it.each(['polling', 'upgrade'])(
    'a Python client over %s subscribes and receives through any node',
    async (transport) => {
      const { nodes } = await startNodes();
      const url = await startBalancer(nodes);
      const subscriber = runPython('subscriber.py', url, transport);
      expect(await subscriber.line()).toBe('connected');
      subscriber.type('subscribe news');
      expect(await subscriber.line()).toMatch(/^acknowledged \{'ok': True/);
      const numbers = [...Array(100).keys()];
      const home = await homeOf(nodes);
      for (const message of numbers) await home.server.publish('news', message);
      const seen: string[] = [];
      for (const _ of numbers) seen.push(await subscriber.line());
      expect(new Set(seen)).toEqual(new Set(numbers.map((message) => `news {'message': ${message}}`)));
    },
  );

  it.each(transports)('large messages over %s come through any node unchanged', async (transport) => {
    const { nodes } = await startNodes();
    const url = await startBalancer(nodes);
    const client = await connectClient(url, transport);
    const losses = watchLosses([client]);
    await client.emitWithAck('subscribe', { topic: 'large' });
    for (let n = 0; n < 8; n++) {
      const message = `${n}${'ä'.repeat(500_000)}`;
      const received = nextEvent<{ message: string }>(client, 'large', 'the large message comes');
      expect(await client.emitWithAck('publish', { topic: 'large', message })).toMatchObject({ ok: true });
      expect((await received).message === message).toBe(true);
    }
    expect(losses).toEqual([]);
  });
});
