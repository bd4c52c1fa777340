import { describe, expect, it } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { connectClient, publish, Recorder, startServer, transports } from './harness.ts';

const messages: readonly [string, unknown][] = [
  ['a string', 'hello'],
  ['an empty string', ''],
  ['emoji and other scripts', '👩‍🚀 naïve 日本語 \u2028'],
  ['a number', 1.5],
  ['null', null],
  ['false', false],
  ['an array', [1, [2, [3, []]]]],
  ['a nested object', { a: { b: [{ c: null }] }, '': 0, 'with space': '"quoted"' }],
  [
    'an object with names that objects have',
    JSON.parse('{"__proto__": {"x": 1}, "constructor": 1, "toJSON": 2}'),
  ],
  ['what Socket.IO uses for attachments', { _placeholder: true, num: 0 }],
  ['100 KB of text', 'ä'.repeat(50_000)],
];

describe.each(transports)('the lab contract over %s', (transport) => {
  it('the server delivers a publish as the event named by the topic with exactly {"message": …}', async () => {
    const { url } = await startServer();
    const client = await connectClient(url, transport);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'breaking news' });

    for (const [, message] of messages) {
      expect(await publish(url, { topic: 'breaking news', message })).toEqual({
        status: 200,
        type: 'text/plain; charset=utf-8',
        text: "Message published to topic 'breaking news'",
      });
    }

    const expected = messages.map(([, message]) => ['breaking news', { message }]);
    expect(await recorder.settled(url)).toEqual(expected);
  });

  it('the server subscribes a client that asks for no acknowledgement', async () => {
    const { url } = await startServer();
    const client = await connectClient(url, transport);
    const recorder = new Recorder(client);
    client.emit('subscribe', { topic: 'news' });
    client.emit('subscribe', { topic: 'news' });
    await client.emitWithAck('unsubscribe', { topic: 'the events before this one have been handled' });

    await publish(url, { topic: 'news', message: 'once' });

    expect(await recorder.settled(url)).toEqual([['news', { message: 'once' }]]);
  });

  it('the server treats a repeated subscribe as one subscription', async () => {
    const { url } = await startServer();
    const client = await connectClient(url, transport);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news' });
    await client.emitWithAck('subscribe', { topic: 'news' });
    await publish(url, { topic: 'news', message: 1 });

    await client.emitWithAck('unsubscribe', { topic: 'news' });
    await publish(url, { topic: 'news', message: 2 });

    expect(await recorder.settled(url)).toEqual([['news', { message: 1 }]]);
  });

  it('the server keeps the order of one publisher', async () => {
    const { url } = await startServer();
    const client = await connectClient(url, transport);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'a' });
    await client.emitWithAck('subscribe', { topic: 'b' });

    const numbers = Array.from({ length: 60 }, (_, number) => number);
    for (const number of numbers) await publish(url, { topic: number % 2 ? 'a' : 'b', message: number });

    const expected = numbers.map((message) => [message % 2 ? 'a' : 'b', { message }]);
    expect(await recorder.settled(url)).toEqual(expected);
  });
});

describe('the lab contract', () => {
  it('a publish to a topic that never had a subscriber gets 404', async () => {
    const { url } = await startServer();
    expect(await publish(url, { topic: 'nobody', message: 1 })).toEqual({
      status: 404,
      type: 'text/plain; charset=utf-8',
      text: "Topic 'nobody' does not exist",
    });
  });

  it('a publish to a topic whose subscribers have all left gets 200', async () => {
    const { url } = await startServer();
    const [leaving, disconnecting] = [await connectClient(url), await connectClient(url)];
    await leaving.emitWithAck('subscribe', { topic: 'left' });
    await leaving.emitWithAck('unsubscribe', { topic: 'left' });
    await disconnecting.emitWithAck('subscribe', { topic: 'gone' });
    disconnecting.close();

    expect((await publish(url, { topic: 'left', message: 1 })).status).toBe(200);
    expect((await publish(url, { topic: 'gone', message: 1 })).status).toBe(200);
  });

  it('the server delivers a message to every subscriber of its topic, and to no other client', async () => {
    const { url } = await startServer();
    const clients = await Promise.all(transports.map((transport) => connectClient(url, transport)));
    const outsider = await connectClient(url);
    const recorders = clients.map((client) => new Recorder(client));
    const outside = new Recorder(outsider);
    for (const client of clients) await client.emitWithAck('subscribe', { topic: 'news' });
    await outsider.emitWithAck('subscribe', { topic: 'News' });

    await publish(url, { topic: 'news', message: 'all' });

    for (const recorder of recorders)
      expect(await recorder.settled(url)).toEqual([['news', { message: 'all' }]]);
    expect(await outside.settled(url)).toEqual([]);
  });

  it('the server ends only the subscription that is named', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'a' });
    await client.emitWithAck('subscribe', { topic: 'b' });

    expect(await client.emitWithAck('unsubscribe', { topic: 'a' })).toEqual({ ok: true, topic: 'a' });
    expect(await client.emitWithAck('unsubscribe', { topic: 'never subscribed' })).toMatchObject({
      ok: true,
    });
    await publish(url, { topic: 'a', message: 1 });
    await publish(url, { topic: 'b', message: 2 });

    expect(await recorder.settled(url)).toEqual([['b', { message: 2 }]]);
  });

  it.each([
    'toString',
    'constructor',
    'hasOwnProperty',
    '.',
    '..',
    '/',
    'a//b',
    '#',
    '>',
    'fence',
    'ünïcode',
    '0',
  ])('the server accepts %j as a topic name', async (topic) => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    expect((await publish(url, { topic, message: 1 })).status).toBe(404);
    await client.emitWithAck('subscribe', { topic });
    expect((await publish(url, { topic, message: 1 })).text).toBe(`Message published to topic '${topic}'`);
    expect(await recorder.settled(url)).toEqual([[topic, { message: 1 }]]);
  });

  it("a topic named like another connection's id is not delivered to that connection", async () => {
    const { url } = await startServer();
    const [client, other] = [await connectClient(url), await connectClient(url)];
    const recorder = new Recorder(client);
    await other.emitWithAck('subscribe', { topic: String(client.id) });
    await publish(url, { topic: String(client.id), message: 'not for that client' });
    expect(await recorder.settled(url)).toEqual([]);
  });

  it('the server delivers a message character for character, except white space', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const packet = within(
      soonMs,
      'the message comes',
      new Promise<unknown>((resolve) => {
        client.io.engine.on('packet', ({ type, data }: { type: string; data?: unknown }) => {
          if (type === 'message') resolve(data);
        });
      }),
    );

    await publish(
      url,
      '{"topic": "news", "message": [1.0, 12345678901234567890, 1e400, "a \\u00e9 \\" b", {"k" : 1}]}',
    );

    expect(await packet).toBe(
      '2["news",{"message":[1.0,12345678901234567890,1e400,"a \\u00e9 \\" b",{"k":1}]}]',
    );
  });
});
