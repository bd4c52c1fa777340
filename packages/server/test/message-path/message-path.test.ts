import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FanfareError } from '@fanfare/protocol';
import { LogFullError, type TopicLog } from '../../src/log/topic-log.ts';
import { anything, FakeFanOut, memoryLog, pathOver } from './fake-fan-out.ts';

describe('the path of a message', () => {
  it('a message is encoded once for each form with live subscribers, and not at all without any', async () => {
    const fanOut = new FakeFanOut();
    const path = pathOver(memoryLog(), fanOut);
    const [first, second] = [fanOut.connect(path), fanOut.connect(path)].map(({ connection }) => connection);
    await first?.subscribe({ topic: 'news' });
    await second?.subscribe({ topic: 'news' });
    await path.publish(anything, { value: { topic: 'news', message: 1 } });
    await second?.subscribe({ topic: 'news', envelope: true });
    await path.publish(anything, { value: { topic: 'news', message: 2 } });
    first?.close();
    second?.close();
    await path.publish(anything, { value: { topic: 'news', message: 3 } });
    expect(fanOut.broadcasts).toEqual([
      '{"message":1}',
      '{"message":2}',
      '{"topic":"news","message":2,"offset":"e.2","time":1}',
    ]);
  });

  it('a connection gets exactly the messages that match its subscriptions, after any sequence of events', async () => {
    const topic = fc.constantFrom('a', 'b', 'c');
    const who = fc.nat(2);
    const step = fc.oneof(
      fc.record({ kind: fc.constant('subscribe' as const), who, topic, envelope: fc.boolean() }),
      fc.record({
        kind: fc.constant('unsubscribe' as const),
        who,
        topic,
        envelope: fc.option(fc.boolean(), { nil: undefined }),
      }),
      fc.record({ kind: fc.constant('close' as const), who }),
      fc.record({ kind: fc.constant('publish' as const), topic }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const fanOut = new FakeFanOut();
        const path = pathOver(memoryLog(), fanOut);
        const peers = [0, 1, 2].map(() => fanOut.connect(path));
        const model = {
          existing: new Set<string>(),
          wants: peers.map(() => new Set<string>()),
          expected: peers.map((): string[] => []),
          published: 0,
        };
        for (const [at, action] of steps.entries()) await take(at, action);
        expect(peers.map(({ received }) => received)).toEqual(model.expected);

        async function take(
          at: number,
          action: typeof step extends fc.Arbitrary<infer T> ? T : never,
        ): Promise<void> {
          switch (action.kind) {
            case 'subscribe':
              await peers[action.who]?.connection?.subscribe({
                topic: action.topic,
                envelope: action.envelope,
              });
              model.existing.add(action.topic);
              model.wants[action.who]?.add(`${action.topic} ${action.envelope}`);
              return;
            case 'unsubscribe':
              await peers[action.who]?.connection?.unsubscribe({
                topic: action.topic,
                envelope: action.envelope,
              });
              for (const envelope of action.envelope === undefined ? [true, false] : [action.envelope]) {
                model.wants[action.who]?.delete(`${action.topic} ${envelope}`);
              }
              return;
            case 'close': {
              const peer = peers[action.who];
              if (!peer) return;
              peer.connection?.close();
              peer.connection = path.connections.accept(peer, anything);
              model.wants[action.who]?.clear();
              return;
            }
            case 'publish': {
              const published = path.publish(anything, { value: { topic: action.topic, message: at } });
              if (!model.existing.has(action.topic)) {
                await expect(published).rejects.toThrow(FanfareError);
                return;
              }
              await published;
              const offset = `e.${++model.published}`;
              for (const [index, wants] of model.wants.entries()) {
                if (wants.has(`${action.topic} false`))
                  model.expected[index]?.push(`${action.topic} {"message":${at}}`);
                if (wants.has(`${action.topic} true`)) {
                  model.expected[index]?.push(
                    `message {"topic":"${action.topic}","message":${at},"offset":"${offset}","time":1}`,
                  );
                }
              }
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a message that the log could not append is neither acknowledged nor delivered', async () => {
    const failing: TopicLog = Object.assign(memoryLog(), {
      appendOne: (...[, { onFailure }]: Parameters<TopicLog['appendOne']>) =>
        onFailure(new Error('disk full')),
    });
    const fanOut = new FakeFanOut();
    const path = pathOver(failing, fanOut);
    await fanOut.connect(path).connection?.subscribe({ topic: 'news' });
    const published = path.publish(anything, { json: '{"topic":"news","message":1}' });
    await expect(published).rejects.toMatchObject({ code: 'storage_unavailable', status: 503 });
    expect(fanOut.broadcasts).toEqual([]);
  });

  it('a batch reports which messages were stored when the disk becomes full in the middle', async () => {
    const log = memoryLog();
    const append = log.append.bind(log);
    let isFull = false;
    const filling: TopicLog = Object.assign(log, {
      append: (records: Parameters<TopicLog['append']>[0]) => {
        if (isFull) return Promise.reject(new LogFullError());
        isFull = true;
        return append(records);
      },
    });
    const fanOut = new FakeFanOut();
    const path = pathOver(filling, fanOut, { publishBytesMax: 1_000_000 });
    await fanOut.connect(path).connection?.subscribe({ topic: 'news' });
    const one = JSON.stringify({ topic: 'news', message: 'x'.repeat(400_000) });
    const results = await path.publishMany(anything, { array: `[${one},${one},{"topic":1},${one}]` });
    expect(results).toMatchObject([
      { ok: true, offset: 'e.1' },
      { code: 'storage_unavailable', status: 507 },
      { code: 'bad_request' },
      { code: 'storage_unavailable', status: 507 },
    ]);
    expect(fanOut.broadcasts).toHaveLength(1);
    await expect(path.publishMany(anything, { array: `[${one}]` })).rejects.toMatchObject({ status: 507 });
  });

  it('a batch creates a topic for a pattern subscription that began before its piece was appended', async () => {
    const fanOut = new FakeFanOut();
    const path = pathOver(memoryLog(), fanOut, { publishBytesMax: 1_000_000 });
    const { connection } = fanOut.connect(path);
    await connection?.subscribe({ topic: 'news' });
    // Each message is a separate piece. A client subscribes to a pattern before the second, and leaves it
    // before the third.
    fanOut.ready = async () => {
      if (fanOut.broadcasts.length === 1) await connection?.subscribe({ topic: 'other/*' });
      else await connection?.unsubscribe({ topic: 'other/*' });
    };
    const batch = ['news', 'other/1', 'other/2'].map((topic) => ({ topic, message: 'x'.repeat(600_000) }));
    expect(await path.publishMany(anything, { array: JSON.stringify(batch) })).toMatchObject([
      { ok: true },
      { ok: true },
      { code: 'topic_not_found' },
    ]);
  });

  it('every publish is refused while the server drains', async () => {
    const fanOut = new FakeFanOut();
    const path = pathOver(memoryLog(), fanOut);
    await fanOut.connect(path).connection?.subscribe({ topic: 'news' });
    const underWay = path.publish(anything, { value: { topic: 'news', message: 1 } });
    void path.drain();
    await expect(underWay).resolves.toMatchObject({ ok: true });
    await expect(path.publish(anything, { value: { topic: 'news', message: 2 } })).rejects.toMatchObject({
      code: 'draining',
    });
    expect(fanOut.broadcasts).toEqual(['{"message":1}']);
  });

  it.each([
    [
      'a cycle',
      (() => {
        const a: unknown[] = [];
        a.push(a);
        return a;
      })(),
      'bad_request',
    ],
    ['a bigint', 1n, 'bad_request'],
    ['a function', () => 1, 'bad_request'],
    ['too much text', 'ä'.repeat(500), 'payload_too_large'],
  ])(
    'a value from the embedding program that JSON does not have is refused: %s',
    async (_what, message, code) => {
      const fanOut = new FakeFanOut();
      const path = pathOver(memoryLog(), fanOut);
      await fanOut.connect(path).connection?.subscribe({ topic: 'news' });
      await expect(path.publish(anything, { value: { topic: 'news', message } })).rejects.toMatchObject({
        code,
      });
    },
  );
});

describe('the text of a publish', () => {
  it('any text of a publish is either published as JSON.parse reads it, or refused with a code', async () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    const object = fc.dictionary(
      fc.constantFrom('topic', 'message', 'id', 'x'),
      fc.oneof(fc.constant('news'), value),
    );
    const text = fc.oneof(
      fc.tuple(object, fc.nat(2)).map(([fields, indent]) => JSON.stringify(fields, null, indent)),
      fc.tuple(object, fc.nat(80)).map(([fields, length]) => JSON.stringify(fields).slice(0, length)),
      fc.string({ unit: fc.constantFrom(...'{}[]":,\\ntopicmessage01') }),
    );
    await fc.assert(
      fc.asyncProperty(text, async (json) => {
        const fanOut = new FakeFanOut();
        const path = pathOver(memoryLog(), fanOut);
        await fanOut.connect(path).connection?.subscribe({ topic: 'news' });
        const refusal = await path.publish(anything, { json: json }).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (refusal !== undefined) {
          expect(refusal).toBeInstanceOf(FanfareError);
          expect(fanOut.broadcasts).toEqual([]);
          return;
        }
        const { topic, message } = JSON.parse(json) as { topic: unknown; message: unknown };
        expect(topic).toBe('news');
        expect(fanOut.broadcasts.map((sent) => JSON.parse(sent) as unknown)).toEqual([{ message }]);
      }),
      { numRuns: 2_000 },
    );
  });
});
