import { matches, parseInterest, type Envelope, type Interest, type Topic } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TopicLog } from '../../src/log/topic-log.ts';
import type { MessagePath } from '../../src/message-path/message-path.ts';
import { anything, FakeFanOut, memoryLog, pathOver, type FakePeer } from './fake-fan-out.ts';

const stored = ['a', 'b/c', 'b/d'];
const interests = ['a', 'b/c', 'b/*', '**', 'none/x'].map(parseInterest);
const rules = [{ match: 'none/**', keep: 'none' }];

/**
 * Judges the deliveries and notices of one subscription as they come. The messages are numbered over all
 * topics, and must come in order and without a repeat. It also counts the unstored messages that were
 * reported missing.
 */
class Ledger {
  readonly interest: Interest;
  readonly faults: string[] = [];
  readonly messages: Envelope<number>[] = [];
  missed = 0;
  #state: 'live' | 'catching_up' | undefined;

  constructor(interest: Interest) {
    this.interest = interest;
  }

  begin(state: 'live' | 'catching_up'): void {
    this.#state = state;
  }

  take(name: string, argument: unknown): void {
    if (name === 'state') this.#change((argument as { state: 'live' | 'catching_up' }).state);
    else if (name === 'gap') this.missed += (argument as { dropped: number }).dropped;
    else if (name === 'message') this.#deliver(argument as Envelope<number>);
  }

  #change(state: 'live' | 'catching_up'): void {
    if (state === this.#state) this.faults.push(`${state} twice`);
    this.#state = state;
  }

  #deliver(envelope: Envelope<number>): void {
    const isReplay = envelope.replay === this.interest;
    if (isReplay !== (this.#state === 'catching_up'))
      this.faults.push(`${envelope.message} while ${this.#state}`);
    const last = this.messages.at(-1)?.message ?? -1;
    if (envelope.message <= last) this.faults.push(`${envelope.message} after ${last}`);
    this.messages.push(envelope);
  }
}

/** Passes each delivery of a peer to its ledgers (PROTOCOL.md 3.6, 3.7). */
function hand(peer: FakePeer, from: number, ledgers: readonly Ledger[]): number {
  for (const text of peer.received.slice(from)) {
    const name = text.slice(0, text.indexOf(' '));
    const argument = JSON.parse(text.slice(name.length + 1)) as { topic: Topic; replay?: Interest };
    for (const ledger of ledgers) {
      const isMeant =
        name === 'message'
          ? argument.replay === undefined
            ? matches(ledger.interest, argument.topic)
            : argument.replay === ledger.interest
          : argument.topic === (ledger.interest as string);
      if (isMeant) ledger.take(name, argument);
    }
  }
  return peer.received.length;
}

/** A log whose results are some turns old when they come, like those of another machine. */
function late(log: TopicLog): TopicLog {
  const read = log.read.bind(log);
  return Object.assign(log, {
    read: async (...args: Parameters<TopicLog['read']>) => {
      const page = await read(...args);
      await turns(2);
      return page;
    },
  });
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('a subscription', () => {
  it('a subscription gets every stored message once and in order, however slowly its client reads', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('publish' as const),
        topic: fc.constantFrom(...stored, 'none/x'),
        count: fc.integer({ min: 1, max: 40 }),
      }),
      fc.record({ kind: fc.constant('read' as const), room: fc.constantFrom(0, 1, 5, 600) }),
      fc.record({ kind: fc.constant('turns' as const), count: fc.nat(3) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.boolean(),
        fc.boolean(),
        async (steps, fromStart, isLate) => {
          const fanOut = new FakeFanOut();
          const path = pathOver(isLate ? late(memoryLog(rules)) : memoryLog(rules), fanOut);
          const published: { topic: string; number: number }[] = [];
          for (const topic of [...stored, 'none/x']) await path.topics.declare(anything, topic);
          if (fromStart) for (let n = 0; n < 30; n++) await publish(path, 'a', published);
          // Each peer has one subscription: if several overlapped, each live message would come once for all
          // of them.
          const subscribers = await Promise.all(
            interests.map(async (interest) => {
              const peer = fanOut.connect(path);
              const ledger = new Ledger(interest);
              const ack = await peer.connection?.subscribe({
                topic: interest,
                envelope: true,
                from: 'earliest',
              });
              ledger.begin(ack?.state ?? 'live');
              return { peer, ledger, handed: 0 };
            }),
          );
          for (const each of steps) {
            if (each.kind === 'turns') await turns(each.count);
            else if (each.kind === 'read') for (const { peer } of subscribers) peer.read(each.room);
            else
              await Promise.all(
                Array.from({ length: each.count }, () => publish(path, each.topic, published)),
              );
          }
          for (const { peer } of subscribers) peer.read(Infinity);
          await turns(60);
          for (const { peer, ledger } of subscribers) {
            hand(peer, 0, [ledger]);
            const wanted = published.filter(({ topic }) => matches(ledger.interest, topic as Topic));
            const due = wanted.filter(({ topic }) => topic !== 'none/x');
            const got = ledger.messages.filter(({ topic }) => topic !== 'none/x');
            expect(ledger.faults).toEqual([]);
            expect(got.map(({ message }) => message)).toEqual(due.map(({ number }) => number));
            expect(ledger.messages.length - got.length + ledger.missed).toBe(wanted.length - due.length);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('overlapping subscriptions of a connection share a live message, and each gets its own replayed ones', async () => {
    const fanOut = new FakeFanOut();
    const path = pathOver(memoryLog(), fanOut);
    const peer = fanOut.connect(path);
    const published: { topic: string; number: number }[] = [];
    for (const topic of stored) await path.topics.declare(anything, topic);
    for (let n = 0; n < 700; n++) await publish(path, stored[n % 3] as string, published);
    const ledgers = ['b/c', 'b/*', '**'].map((name) => new Ledger(parseInterest(name)));
    for (const ledger of ledgers) {
      const ack = await peer.connection?.subscribe({
        topic: ledger.interest,
        envelope: true,
        from: 'earliest',
      });
      ledger.begin(ack?.state ?? 'live');
    }
    for (let n = 0; n < 50; n++) {
      await publish(path, stored[n % 3] as string, published);
      if (n % 7 === 0) peer.read(n % 2 === 0 ? 3 : 1_000);
    }
    peer.read(Infinity);
    await turns(20);
    for (let n = 0; n < 6; n++) await publish(path, stored[n % 3] as string, published);
    hand(peer, 0, ledgers);
    for (const { interest, messages, faults } of ledgers) {
      expect(faults).toEqual([]);
      const due = published.filter(({ topic }) => matches(interest, topic as Topic));
      expect(messages.map(({ message }) => message)).toEqual(due.map(({ number }) => number));
    }
    const live = peer.received.filter((text) => !text.includes('"replay"') && text.startsWith('message '));
    expect(new Set(live).size).toBe(live.length);
  });

  it('a subscription starts at the requested position, and reports how many messages follow', async () => {
    const fanOut = new FakeFanOut();
    const path = pathOver(memoryLog([{ match: 'a', keep: { count: 5 } }]), fanOut);
    await path.topics.declare(anything, 'a');
    const published: { topic: string; number: number }[] = [];
    for (let n = 0; n < 8; n++) await publish(path, 'a', published);
    const answers = [];
    for (const from of ['new', 'earliest', 'last', { last: 3 }, 'e.6', 'e.3', 'e.2', 'e.9', 'x.6']) {
      const peer = fanOut.connect(path);
      const { state, offset, recovered, replayed } =
        (await peer.connection?.subscribe({ topic: 'a', from, envelope: true })) ?? fail();
      await turns(4);
      const got = peer.received.filter((text) => text.startsWith('message ')).length;
      answers.push([from, state, offset, recovered, replayed, got]);
    }
    expect(answers).toEqual([
      ['new', 'live', 'e.8', undefined, 0, 0],
      ['earliest', 'catching_up', 'e.3', undefined, 5, 5],
      ['last', 'catching_up', 'e.7', undefined, 1, 1],
      [{ last: 3 }, 'catching_up', 'e.5', undefined, 3, 3],
      ['e.6', 'catching_up', 'e.6', true, 2, 2],
      ['e.3', 'catching_up', 'e.3', true, 5, 5],
      ['e.2', 'catching_up', 'e.3', false, 5, 5],
      ['e.9', 'catching_up', 'e.3', false, 5, 5],
      ['x.6', 'catching_up', 'e.3', false, 5, 5],
    ]);
  });

  it('a subscription reports how many stored messages were dropped before it could read them', async () => {
    const fanOut = new FakeFanOut();
    const path = pathOver(memoryLog([{ match: 'a', keep: { count: 10 } }]), fanOut);
    const peer = fanOut.connect(path);
    await peer.connection?.subscribe({ topic: 'a', envelope: true });
    const published: { topic: string; number: number }[] = [];
    await publish(path, 'a', published);
    peer.read(0);
    for (let n = 0; n < 100; n++) await publish(path, 'a', published);
    peer.read(Infinity);
    await turns(4);
    const told = peer.received.map((text) => text.slice(0, 40));
    expect(told.slice(0, 3)).toEqual([
      '{"topic":"a","message":0,"offset":"e.1",'.replace(/^/, 'message ').slice(0, 40),
      'state {"topic":"a","state":"catching_up"',
      'gap {"topic":"a","dropped":90,"envelope"',
    ]);
    expect(told).toHaveLength(3 + 10 + 1);
  });
});

function fail(): never {
  throw new Error('no answer');
}

async function publish(
  path: MessagePath,
  topic: string,
  published: { topic: string; number: number }[],
): Promise<void> {
  const number = published.push({ topic, number: published.length }) - 1;
  await path.publish(anything, { value: { topic, message: number } });
}
