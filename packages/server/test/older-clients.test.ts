/*
 * Socket.IO clients of earlier versions. Apps keep them for years.
 */
import { createRequire } from 'node:module';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../test/waits.ts';
import { publish, startServer, transports, type Transport } from './harness.ts';

const require = createRequire(import.meta.url);

/** The part of a client that all versions have. */
interface Client {
  readonly io: { readonly engine: { readonly transport: { readonly name: string } } };
  on(event: string, listener: (argument: unknown) => void): void;
  once(event: string, listener: (argument: unknown) => void): void;
  off(event: string, listener: (argument: unknown) => void): void;
  emit(event: string, ...args: readonly unknown[]): void;
  close(): void;
}

type Connect = (url: string, options: object) => Client;

const clients: Readonly<Record<string, unknown>> = {
  '3.1': require('socket.io-client-3.1') as unknown,
  '4.0': require('socket.io-client-4.0') as unknown,
  '4.4': require('socket.io-client-4.4') as unknown,
};

function connect(version: string, url: string, transport: Transport): Client {
  const { io } = clients[version] as { readonly io: Connect };
  const both = ['polling', 'websocket'];
  const client = io(url, { transports: transport === 'upgrade' ? both : [transport], forceNew: true });
  onTestFinished(() => client.close());
  return client;
}

function acknowledged(client: Client, event: string, argument: object): Promise<unknown> {
  const answer = new Promise((resolve) => client.emit(event, argument, resolve));
  return within(soonMs, `${event} is acknowledged`, answer);
}

describe.each(Object.keys(clients))('socket.io-client %s', (version) => {
  it.each(transports)('a client over %s subscribes, publishes and receives', async (transport) => {
    const { url } = await startServer({ rules: [{ match: '**', create: 'publish' }] });
    const client = connect(version, url, transport);
    await nextEvent(client, 'connect', 'the client connects');
    if (transport === 'upgrade')
      await until('the client upgrades', () => client.io.engine.transport.name === 'websocket');
    const received: unknown[] = [];
    client.on('news', (message) => received.push(message));
    expect(await acknowledged(client, 'subscribe', { topic: 'news' })).toMatchObject({ ok: true });
    expect(await acknowledged(client, 'publish', { topic: 'news', message: 'é' })).toMatchObject({
      ok: true,
    });
    const batch = Array.from({ length: 100 }, (_, message) => ({ topic: 'news', message }));
    expect((await publish(url, batch)).status).toBe(200);
    await until('all messages come', () => received.length === 101, { soFar: () => received.length });
    expect(received).toEqual([{ message: 'é' }, ...batch.map(({ message }) => ({ message }))]);
  });

  it.each(transports)('a client over %s learns why it is refused', async (transport) => {
    const { url } = await startServer({ key: 'a key of at least thirty-two bytes' });
    const client = connect(version, url, transport);
    const error = await nextEvent<Error & { data: unknown }>(client, 'connect_error', 'it is refused');
    expect(error.data).toMatchObject({ code: 'not_authenticated' });
  });
});
