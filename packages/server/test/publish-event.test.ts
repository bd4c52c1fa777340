import { describe, expect, it } from 'vitest';
import { nextEvent } from '../../../test/waits.ts';
import { connectClient, publish, Recorder, sendPacket, startServer, transports } from './harness.ts';

describe.each(transports)('the event publish over %s', (transport) => {
  it('the event `publish` publishes, and its acknowledgement has the offset and time', async () => {
    const { url } = await startServer({ now: () => 1_800_000_000_000 });
    const [publisher, subscriber] = [await connectClient(url, transport), await connectClient(url)];
    const recorder = new Recorder(subscriber);
    await subscriber.emitWithAck('subscribe', { topic: 'news' });
    const result = (sequence: number): object => ({
      ok: true,
      topic: 'news',
      offset: expect.stringMatching(new RegExp(`^[\\w-]+\\.${sequence}$`)) as string,
      time: 1_800_000_000_000,
      stored: 'memory',
    });

    expect(await publisher.emitWithAck('publish', { topic: 'news', message: { a: [1] } })).toEqual(result(1));
    const withId = { topic: 'news', message: null, id: 'x' };
    const first = { ...result(2), id: 'x' };
    expect(await publisher.emitWithAck('publish', withId)).toEqual(first);
    expect(await publisher.emitWithAck('publish', withId)).toEqual({ ...first, duplicate: true });

    expect(await recorder.settled(url)).toEqual([
      ['news', { message: { a: [1] } }],
      ['news', { message: null }],
    ]);
  });

  it('the event `publish` without an acknowledgement publishes in order', async () => {
    const { url } = await startServer();
    const client = await connectClient(url, transport);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news' });
    for (let message = 0; message < 50; message++) client.emit('publish', { topic: 'news', message });
    await client.emitWithAck('publish', { topic: 'news', message: 'last' });
    const messages = [...Array(50).keys(), 'last'];
    expect(await recorder.settled(url)).toEqual(messages.map((message) => ['news', { message }]));
  });
});

describe('the event publish', () => {
  it.each([
    ['a topic that nobody subscribed to', { topic: 'nobody', message: 1 }, 'topic_not_found'],
    ['no message', { topic: 'news' }, 'bad_request'],
    ['binary data', { topic: 'news', message: Buffer.from('x') }, 'bad_request'],
    ['binary data within', { topic: 'news', message: [1, { a: [new Uint8Array(2)] }] }, 'bad_request'],
    [
      '65 levels',
      { topic: 'news', message: JSON.parse('['.repeat(65) + ']'.repeat(65)) as unknown },
      'payload_too_deep',
    ],
  ])('a wrong event `publish` is refused: %s', async (_what, argument, code) => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news' });
    expect(await client.emitWithAck('publish', argument)).toMatchObject({ ok: false, error: { code } });
    expect(await recorder.settled(url)).toEqual([]);
  });

  it('the event `publish` is refused when the packet ends with other text than its bracket', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const refused = nextEvent(client, 'error', 'a publish without its bracket is refused');
    sendPacket(client, '42["publish",{"topic":"news","message":1}x');
    expect(await refused).toMatchObject({ code: 'bad_request' });
    expect(await recorder.settled(url)).toMatchObject([['error', { code: 'bad_request' }]]);
  });

  it('the event `publish` uses the first of several arguments', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const argument = { topic: 'news', message: '1,"2' };
    expect(await client.emitWithAck('publish', argument, 'more')).toMatchObject({ ok: true });
  });

  it('an event `publish` with 100,000 levels is refused, and the connection stays open', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news' });
    const refused = nextEvent(client, 'error', 'the server refuses the publish');
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    sendPacket(client, `42["publish",{"topic":"news","message":${deep}}]`);
    expect(await refused).toMatchObject({ code: 'payload_too_deep' });
    expect(await client.emitWithAck('publish', { topic: 'news', message: 1 })).toMatchObject({ ok: true });
  });
});

describe('envelope subscriptions', () => {
  it('envelope subscriptions get the event `message` with topic, message, offset, time and id', async () => {
    const { url } = await startServer({ now: () => 1_800_000_000_000 });
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    await client.emitWithAck('subscribe', { topic: 'news', envelope: true });
    await publish(url, { topic: 'news', message: { a: 1 } });
    await publish(url, { topic: 'news', message: 'x', id: 'y' });
    const envelope = { topic: 'news', offset: expect.any(String) as string, time: 1_800_000_000_000 };
    expect(await recorder.settled(url)).toEqual([
      ['message', { ...envelope, message: { a: 1 } }],
      ['message', { ...envelope, message: 'x', id: 'y' }],
    ]);
  });

  it('envelope subscriptions work beside plain ones, and end separately or together', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const recorder = new Recorder(client);
    for (const envelope of [true, false]) await client.emitWithAck('subscribe', { topic: 'news', envelope });
    await publish(url, { topic: 'news', message: 'both' });
    await client.emitWithAck('unsubscribe', { topic: 'news', envelope: true });
    await publish(url, { topic: 'news', message: 'plain' });
    await client.emitWithAck('subscribe', { topic: 'news', envelope: true });
    await client.emitWithAck('unsubscribe', { topic: 'news' });
    await publish(url, { topic: 'news', message: 'none' });

    const events = (await recorder.settled(url)).map(([event, argument]) => [
      event,
      (argument as { message: unknown }).message,
    ]);
    expect(events).toEqual([
      ['news', 'both'],
      ['message', 'both'],
      ['news', 'plain'],
    ]);
  });

  it('envelope subscriptions of a topic that keeps nothing get nothing stored, whatever start they request', async () => {
    const { url } = await startServer({ rules: [{ match: 'news', keep: 'none' }] });
    const client = await connectClient(url);
    const first = (await client.emitWithAck('subscribe', { topic: 'news', envelope: true })) as {
      offset: string;
    };
    expect(first).toEqual({
      ok: true,
      topic: 'news',
      state: 'live',
      offset: expect.stringMatching(/^[\w-]+\.0$/) as string,
      replayed: 0,
    });
    for (const from of ['new', 'earliest', 'last', { last: 5 }, { time: 1 }]) {
      const answer: unknown = await client.emitWithAck('subscribe', { topic: 'news', envelope: true, from });
      expect(answer).toEqual(first);
    }
    const resumed: unknown = await client.emitWithAck('subscribe', {
      topic: 'news',
      envelope: true,
      from: first.offset,
    });
    expect(resumed).toEqual({ ...first, recovered: false });
  });
});

describe('limits of subscriptions and topics', () => {
  it('one subscription too many is refused, and accepted after another has ended', async () => {
    const { url } = await startServer({ subscriptionsPerConnectionMax: 2 });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'a' });
    await client.emitWithAck('subscribe', { topic: 'a', envelope: true });
    expect(await client.emitWithAck('subscribe', { topic: 'a' })).toMatchObject({ ok: true });
    const refusal: unknown = await client.emitWithAck('subscribe', { topic: 'b' });
    expect(refusal).toMatchObject({ ok: false, error: { code: 'limit_exceeded' } });
    await client.emitWithAck('unsubscribe', { topic: 'a' });
    expect(await client.emitWithAck('subscribe', { topic: 'b' })).toMatchObject({ ok: true });
  });

  it('one topic too many is refused over HTTP and Socket.IO', async () => {
    const { url } = await startServer({ topicsMax: 1 });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'a' });
    const refusal: unknown = await client.emitWithAck('subscribe', { topic: 'b' });
    expect(refusal).toMatchObject({ ok: false, error: { code: 'limit_exceeded', retryable: true } });
    expect((await publish(url, { topic: 'b', message: 1 })).status).toBe(404);
    expect(await client.emitWithAck('subscribe', { topic: 'a', envelope: true })).toMatchObject({ ok: true });
  });

  it('commands of one connection take effect in the order in which they were sent', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    const received: unknown[] = [];
    client.on('message', ({ topic, message }: { topic: string; message: unknown }) =>
      received.push([topic, message]),
    );
    const asked: Promise<unknown>[] = [];
    const expected: unknown[] = [];
    for (const at of [1, 2, 3]) {
      asked.push(
        client.emitWithAck('subscribe', { topic: `orders ${at}/*`, envelope: true, from: 'earliest' }),
      );
      for (const message of [1, 2]) {
        asked.push(client.emitWithAck('publish', { topic: `orders ${at}/7`, message }));
        expected.push([`orders ${at}/7`, message]);
      }
    }
    for (const answer of await Promise.all(asked)) expect(answer).toMatchObject({ ok: true });
    await expect.poll(() => received).toEqual(expected);
  });
});
