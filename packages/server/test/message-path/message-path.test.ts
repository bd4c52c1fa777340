import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FanfareError, type Form, type Topic } from '@fanfare/protocol';
import { MemoryTopicLog } from '../../src/log/memory-topic-log.ts';
import type { AppendOutcome, NewRecord, TailListener, TopicLog } from '../../src/log/topic-log.ts';
import type { Connection, Peer } from '../../src/message-path/accept.ts';
import type { FanOut } from '../../src/message-path/deliver.ts';
import { MessagePath } from '../../src/message-path/message-path.ts';

const limits = { publishBytesMax: 1_000, topicsMax: 100, subscriptionsPerConnectionMax: 100 };

/** Peers and the way to them, at the ports. */
class FakeFanOut implements FanOut {
  readonly #members = new Map<string, Set<string>>();
  readonly sends: string[] = [];
  readonly received: Map<string, string[]> = new Map();

  peer(name: string): Peer {
    this.received.set(name, []);
    return {
      join: (topic, form) => void this.#of(topic, form).add(name),
      leave: (topic, form) => void this.#of(topic, form).delete(name),
      gap: (topic, form, dropped) => void this.received.get(name)?.push(`gap ${topic} ${form} ${dropped}`),
    };
  }

  send(topic: Topic, form: Form, event: string, argumentJson: string): void {
    this.sends.push(argumentJson);
    for (const name of this.#of(topic, form)) this.received.get(name)?.push(`${event} ${argumentJson}`);
  }

  #of(topic: Topic, form: Form): Set<string> {
    const key = `${form} ${topic}`;
    const members = this.#members.get(key) ?? new Set();
    this.#members.set(key, members);
    return members;
  }
}

function memoryLog(): MemoryTopicLog {
  return new MemoryTopicLog({ now: () => 1, epoch: 'e', idWindowMs: 1_000, idsMax: 10 });
}

describe('the path of a message', () => {
  it('encodes a message once for each form that somebody wants, and not at all for none', async () => {
    const fanOut = new FakeFanOut();
    const path = new MessagePath({ log: memoryLog(), fanOut, limits });
    const [first, second] = [path.accept(fanOut.peer('first')), path.accept(fanOut.peer('second'))];
    first.subscribe({ topic: 'news' });
    second.subscribe({ topic: 'news' });
    await path.publishValue({ topic: 'news', message: 1 });
    second.subscribe({ topic: 'news', envelope: true });
    await path.publishValue({ topic: 'news', message: 2 });
    first.close();
    second.close();
    await path.publishValue({ topic: 'news', message: 3 });
    expect(fanOut.sends).toEqual(['{"message":1}', '{"message":2}', '{"topic":"news","message":2,"time":1}']);
  });

  it('delivers to a connection exactly what it is subscribed to, whatever came before', async () => {
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
        const path = new MessagePath({ log: memoryLog(), fanOut, limits });
        const names = [0, 1, 2].map(String);
        const connections: Connection[] = names.map((name) => path.accept(fanOut.peer(name)));
        const model = {
          existing: new Set<string>(),
          wants: names.map(() => new Set<string>()),
          expected: names.map((): string[] => []),
        };
        for (const [at, action] of steps.entries()) await take(at, action);
        expect(names.map((name) => fanOut.received.get(name))).toEqual(model.expected);

        async function take(
          at: number,
          action: typeof step extends fc.Arbitrary<infer T> ? T : never,
        ): Promise<void> {
          switch (action.kind) {
            case 'subscribe':
              connections[action.who]?.subscribe({ topic: action.topic, envelope: action.envelope });
              model.existing.add(action.topic);
              model.wants[action.who]?.add(`${action.topic} ${action.envelope}`);
              return;
            case 'unsubscribe':
              connections[action.who]?.unsubscribe({ topic: action.topic, envelope: action.envelope });
              for (const envelope of action.envelope === undefined ? [true, false] : [action.envelope]) {
                model.wants[action.who]?.delete(`${action.topic} ${envelope}`);
              }
              return;
            case 'close':
              connections[action.who]?.close();
              model.wants[action.who]?.clear();
              return;
            case 'publish': {
              const published = path.publishValue({ topic: action.topic, message: at });
              if (!model.existing.has(action.topic)) {
                await expect(published).rejects.toThrow(FanfareError);
                return;
              }
              await published;
              for (const [index, wants] of model.wants.entries()) {
                if (wants.has(`${action.topic} false`))
                  model.expected[index]?.push(`${action.topic} {"message":${at}}`);
                if (wants.has(`${action.topic} true`)) {
                  model.expected[index]?.push(`message {"topic":"${action.topic}","message":${at},"time":1}`);
                }
              }
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('acknowledges nothing that the log could not append, and delivers nothing that it does not have', async () => {
    class FailingLog implements TopicLog {
      readonly epoch = 'e';
      readonly head = 0;
      append(_records: readonly NewRecord[]): Promise<readonly AppendOutcome[]> {
        return Promise.reject(new Error('disk full'));
      }
      tail(_listener: TailListener): void {}
    }
    const fanOut = new FakeFanOut();
    const path = new MessagePath({ log: new FailingLog(), fanOut, limits });
    path.accept(fanOut.peer('a')).subscribe({ topic: 'news' });
    const published = path.publishText('{"topic":"news","message":1}');
    await expect(published).rejects.toMatchObject({ code: 'storage_unavailable', status: 503 });
    expect(fanOut.sends).toEqual([]);
  });

  it('refuses every publish once it drains', async () => {
    const fanOut = new FakeFanOut();
    const path = new MessagePath({ log: memoryLog(), fanOut, limits });
    path.accept(fanOut.peer('a')).subscribe({ topic: 'news' });
    const underWay = path.publishValue({ topic: 'news', message: 1 });
    path.drain();
    await expect(underWay).resolves.toMatchObject({ ok: true });
    await expect(path.publishValue({ topic: 'news', message: 2 })).rejects.toMatchObject({
      code: 'draining',
    });
    expect(fanOut.sends).toEqual(['{"message":1}']);
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
    'refuses what an embedding program may pass and JSON does not have: %s',
    async (_what, message, code) => {
      const fanOut = new FakeFanOut();
      const path = new MessagePath({ log: memoryLog(), fanOut, limits });
      path.accept(fanOut.peer('a')).subscribe({ topic: 'news' });
      await expect(path.publishValue({ topic: 'news', message })).rejects.toMatchObject({ code });
    },
  );
});

describe('the text of a publish', () => {
  it('is published as JSON.parse would read it, or refused with a code, whatever it is', async () => {
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
        const path = new MessagePath({ log: memoryLog(), fanOut, limits });
        path.accept(fanOut.peer('a')).subscribe({ topic: 'news' });
        const refusal = await path.publishText(json).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (refusal !== undefined) {
          expect(refusal).toBeInstanceOf(FanfareError);
          expect(fanOut.sends).toEqual([]);
          return;
        }
        const { topic, message } = JSON.parse(json) as { topic: unknown; message: unknown };
        expect(topic).toBe('news');
        expect(fanOut.sends.map((sent) => JSON.parse(sent) as unknown)).toEqual([{ message }]);
      }),
      { numRuns: 2_000 },
    );
  });
});
