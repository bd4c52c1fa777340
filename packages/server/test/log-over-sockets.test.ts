import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Envelope, Subscribed } from '@fanfare/protocol';
import { createServer } from '@fanfare/server';
import type { Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectClient, publish, Recorder, startServer, transports } from './harness.ts';

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fanfare-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

async function subscribe(client: Socket, request: object): Promise<Subscribed> {
  return (await client.emitWithAck('subscribe', { envelope: true, ...request })) as Subscribed;
}

/** The messages of the envelopes that a client got. */
function messagesOf(events: readonly unknown[][]): unknown[] {
  return events
    .filter(([event]) => event === 'message')
    .map(([, envelope]) => (envelope as Envelope).message);
}

async function publishAll(url: string, topic: string, messages: readonly unknown[]): Promise<void> {
  for (const message of messages) expect((await publish(url, { topic, message })).status).toBe(200);
}

describe.each(transports)('a subscriber over %s', (transport) => {
  it('a Socket.IO subscriber starts in the past and continues live, without a gap or a repeat', async () => {
    const { url } = await startServer();
    const [early, late] = [await connectClient(url), await connectClient(url, transport)];
    await early.emitWithAck('subscribe', { topic: 'news' });
    await publishAll(url, 'news', [1, 2, 3]);
    const recorder = new Recorder(late);
    const ack = await subscribe(late, { topic: 'news', from: 'earliest' });
    expect(ack).toMatchObject({ ok: true, state: 'catching_up', replayed: 3 });
    await publishAll(url, 'news', [4, 5]);
    const events = await recorder.settled(url);
    expect(messagesOf(events)).toEqual([1, 2, 3, 4, 5]);
    const replays = events.map(([event, argument]) => [event, (argument as Envelope).replay]);
    expect(replays.slice(0, 3)).toEqual([1, 2, 3].map(() => ['message', 'news']));
    expect(replays.at(-1)).toEqual(['message', undefined]);
    expect(events.filter(([event]) => event === 'state')).toEqual([
      ['state', { topic: 'news', state: 'live', offset: expect.any(String) as string }],
    ]);
  });

  it('a Socket.IO subscriber resumes from its last offset after a restart of the server', async () => {
    const data = await temporaryDirectory();
    const first = createServer({ port: 0, data });
    const firstUrl = await first.start();
    const before = await connectClient(firstUrl, transport);
    const { offset } = await subscribe(before, { topic: 'news' });
    await publishAll(firstUrl, 'news', ['missed', { a: 1 }]);
    await first.stop();

    const { url } = await startServer({ data });
    const after = await connectClient(url, transport);
    const recorder = new Recorder(after);
    const ack = await subscribe(after, { topic: 'news', from: offset });
    expect(ack).toMatchObject({ recovered: true, replayed: 2, offset });
    await publishAll(url, 'news', ['new']);
    expect(messagesOf(await recorder.settled(url))).toEqual(['missed', { a: 1 }, 'new']);
  });
});

describe('a subscriber to a pattern', () => {
  it('a subscriber to a pattern gets the messages of all matching topics, and each live message once', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    for (const topic of ['a/*', 'a/**', 'a/1']) await subscribe(client, { topic });
    await client.emitWithAck('subscribe', { topic: 'a/*' });
    await publishAll(url, 'a/1', ['one']);
    await publishAll(url, 'a/2', ['two']);
    expect((await publish(url, { topic: 'b', message: 1 })).status).toBe(404);
    const events = await recorder.settled(url);
    expect(events.map(([event, argument]) => [event, (argument as Envelope).message])).toEqual([
      ['a/1', 'one'],
      ['message', 'one'],
      ['a/2', 'two'],
      ['message', 'two'],
    ]);
  });

  it('a subscriber to a pattern resumes from a position over all topics, in the order of the log', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    for (const topic of ['a/1', 'a/2', 'b']) await client.emitWithAck('subscribe', { topic });
    for (let number = 0; number < 60; number++) {
      await publishAll(url, ['a/1', 'b', 'a/2'][number % 3] as string, [number]);
    }
    const late = await connectClient(url);
    const recorder = new Recorder(late);
    expect(await subscribe(late, { topic: 'a/*', from: 'earliest' })).toMatchObject({ replayed: 40 });
    await publishAll(url, 'a/1', [60]);
    const numbers = [...Array(60).keys()].filter((number) => number % 3 !== 1);
    expect(messagesOf(await recorder.settled(url))).toEqual([...numbers, 60]);
  });
});

describe('rules of topics', () => {
  it('rules can let topics deliver messages without storing them, and let publishes create topics', async () => {
    const rules = [
      { match: 'prices/**', keep: 'none', create: 'publish' },
      { match: 'small', publishBytesMax: 5 },
    ] as const;
    const { url } = await startServer({ rules });
    const json = { accept: 'application/json' };
    const passed = await publish(url, { topic: 'prices/tea', message: 1 }, json);
    expect(JSON.parse(passed.text)).toEqual({
      ok: true,
      topic: 'prices/tea',
      time: expect.any(Number) as number,
      stored: 'none',
    });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'small' });
    expect((await publish(url, { topic: 'small', message: 123456 })).status).toBe(413);
    expect((await publish(url, { topic: 'small', message: 12345 })).status).toBe(200);
    expect(await subscribe(client, { topic: 'prices/tea', from: 'earliest' })).toMatchObject({
      state: 'live',
      replayed: 0,
    });
  });

  it('wrong rules are reported all at once, each with its place', () => {
    const rules = [
      { match: 'a' },
      { match: '**/a', keep: { count: 0, age: '1 week', byte: 1 }, create: 'me' },
    ];
    const make = (): unknown => createServer({ rules: rules as never });
    expect(make).toThrow(
      /rules in the options \[1\] match .*\n.*\[1\] .*"byte".*\n.*keep\.count.*\n.*keep\.age.*\n.*create/,
    );
  });
});

describe('idempotency ids', () => {
  it('publishes with the same id are stored once, even across a restart, and another message under it is refused', async () => {
    const data = await temporaryDirectory();
    const first = createServer({ port: 0, data });
    const firstUrl = await first.start();
    const client = await connectClient(firstUrl);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const request = { topic: 'news', message: 1, id: 'x' };
    const json = { accept: 'application/json' };
    const answers = await Promise.all([1, 2, 3].map(() => publish(firstUrl, request, json)));
    const parsed = answers.map(({ text }) => JSON.parse(text) as { offset: string; duplicate?: true });
    expect(new Set(parsed.map(({ offset }) => offset)).size).toBe(1);
    expect(parsed.filter(({ duplicate }) => duplicate)).toHaveLength(2);
    await first.stop();

    const { url } = await startServer({ data });
    const again = await publish(url, request, json);
    expect(JSON.parse(again.text)).toEqual({
      ...parsed.find(({ duplicate }) => !duplicate),
      duplicate: true,
    });
    expect((await publish(url, { ...request, message: 2 }, json)).status).toBe(409);
  });
});
