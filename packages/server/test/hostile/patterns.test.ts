import { matches, parseInterest, parseTopic, type HistoryPage } from '@fanfare/protocol';
import type { Socket } from 'socket.io-client';
import { describe, expect, it } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { SubscriptionIndex } from '../../src/subscriptions/subscription-index.ts';
import { bearer, secret, tokenFor } from '../access/tokens.ts';
import { Random } from '../faults/random.ts';
import { connectClient, publish } from '../harness.ts';
import { openStream, topicUrl } from '../http-tools.ts';
import { seedOf } from './fuzz.ts';
import { masterToken } from './inputs/tokens.ts';
import { ProbedServer } from './probed-server.ts';

const bytesMax = 255;
const topicsMax = 100_000;
const batchMessages = 5_000;

/**
 * The limit for one turn of the event loop, in milliseconds of processor time. Each turn is under 50, but
 * other programs that use the processor's caches can double it.
 */
const heldMsMax = 150;

/** Repeats a text so that the whole is as long as a name can be. */
function fill(part: string, end: string, bytes = bytesMax): string {
  return part.repeat(Math.floor((bytes - end.length) / part.length)) + end;
}

/** Long topics with the most segments, which differ only at the end. */
function topicAt(number: number): string {
  const end = String(number);
  const begin = ['a/', '/', 'a', 'a/b/'][number % 4] ?? '';
  return fill(begin, end);
}

/** The matching rule of the protocol. */
function isMatch(pattern: string, topic: string): boolean {
  const [wanted, segments] = [pattern.split('/'), topic.split('/')];
  const isMatchFrom = (at: number): boolean => {
    if (wanted[at] === '**') return at <= segments.length;
    if (at >= wanted.length || at >= segments.length) return wanted.length === segments.length;
    return (wanted[at] === '*' || wanted[at] === segments[at]) && isMatchFrom(at + 1);
  };
  return isMatchFrom(0);
}

/** Patterns that all begin like the topics in `a/a/a`. */
function anyPattern(random: Random, end: string, bytes = bytesMax): string {
  const segments = Array.from({ length: Math.floor((bytes - end.length) / 2) }, () =>
    random.pick(['a', '*']),
  );
  return [...segments, end].join('/');
}

/** The topics that a client with few rights can read: names that end with three digits. */
const readable = fill('a/b/', '*');

const nearMiss = fill('*/', 'z');
const nearMissOfOne = fill('a/', '*/z');

interface World {
  readonly server: ProbedServer;
  readonly url: string;
  readonly random: Random;
  /** An offset before all messages. */
  readonly origin: string;
  readonly admin: Readonly<Record<string, string>>;
  /**
   * May read the {@link readable} topics; each earlier pattern in the token almost allows the topics of
   * `a/a/a`.
   */
  readonly reader: { readonly token: string; readonly headers: Readonly<Record<string, string>> };
  /** May almost publish to the topics of `a/a/a`. */
  readonly publisher: Readonly<Record<string, string>>;
}

const rules = (random: Random): object[] => [
  ...Array.from({ length: 10 }, () => ({ match: anyPattern(random, 'z') })),
  { match: '**', create: 'publish' },
];

async function startWithTopics(random: Random): Promise<World> {
  const flags = ['--memory', '--key', secret, '--rules', JSON.stringify(rules(random))];
  const server = await ProbedServer.fanfare(flags);
  const { url } = server;
  const admin = { authorization: `Bearer ${masterToken}` };
  for (let first = 0; first < topicsMax; first += batchMessages) {
    const { text } = await publish(url, messagesFrom(first, batchMessages), admin);
    expect(text).not.toContain('"ok":false');
  }
  const near = Array.from({ length: 40 }, () => anyPattern(random, 'z', 60));
  const token = await tokenFor({ subscribe: [...near, readable] });
  const reader = { token, headers: { authorization: `Bearer ${token}` } };
  const publisher = await bearer({ publish: near });
  const { next } = await readFrom(topicUrl(url, nearMiss, '/messages?from=earliest'), admin);
  const origin = `${next.split('.')[0]}.0`;
  return { server, url, random, origin, admin, reader, publisher };
}

function messagesFrom(first: number, count: number): object[] {
  return Array.from({ length: count }, (_, at) => ({ topic: topicAt(first + at), message: first + at }));
}

async function readFrom(url: string, headers: Readonly<Record<string, string>>): Promise<HistoryPage> {
  const response = await fetch(url, { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as HistoryPage;
}

/** All stored messages of a pattern, page after page. */
async function readAll(
  { url, origin }: World,
  pattern: string,
  headers: Readonly<Record<string, string>>,
): Promise<unknown[]> {
  const found: unknown[] = [];
  let from = origin;
  let hasMore = true;
  const step = async (): Promise<void> => {
    const page = await readFrom(topicUrl(url, pattern, `/messages?limit=1000&from=${from}`), headers);
    found.push(...page.messages.map(({ message }) => message));
    hasMore = page.more;
    from = page.next;
  };
  const soFar = (): string => `${found.length} messages`;
  await until('the last page of the pattern is read', () => !hasMore, { step, soFar });
  return found;
}

/** Subscribes, and unsubscribes once it is live. @returns the messages that came until then */
async function catchUp(client: Socket, topic: string, from: string): Promise<unknown[]> {
  const got: unknown[] = [];
  client.on('message', ({ message }: { message: unknown }) => void got.push(message));
  let isLive = false;
  client.on('state', ({ state }: { state: string }) => (isLive ||= state === 'live'));
  const request = { topic, from, envelope: true };
  const answer = (await client.emitWithAck('subscribe', request)) as { ok: boolean; state: string };
  expect(answer.ok).toBe(true);
  const soFar = (): string => `${got.length} messages`;
  if (answer.state !== 'live') await until('the subscription is live', () => isLive, { soFar });
  client.close();
  return got;
}

/** The numbers of all messages of topics that match a pattern. */
function numbersOf(pattern: string): number[] {
  const all = Array.from({ length: topicsMax }, (_, number) => number);
  return all.filter((number) => isMatch(pattern, topicAt(number)));
}

type Attack = (world: World) => Promise<unknown>;

const history =
  (pattern: string, query: (world: World) => string): Attack =>
  async (world) =>
    readFrom(topicUrl(world.url, pattern, `/messages?limit=1000&${query(world)}`), world.admin);

const attacks: Readonly<Record<string, Attack>> = {
  'a page of a pattern that almost matches everywhere': history(nearMiss, ({ origin }) => `from=${origin}`),
  'a page of a pattern that matches almost all topics': history(fill('*/', '**'), () => 'from=earliest'),
  'a page of the newest message of each topic': history(nearMissOfOne, () => 'last=1'),
  'a page for a client with few rights': async (world) =>
    readFrom(topicUrl(world.url, '**', `/messages?from=${world.origin}`), world.reader.headers),
  'the list of topics for a client with few rights': async ({ url, reader }) =>
    fetch(`${url}/topics?limit=1000`, reader).then(async (response) => response.text()),
  'a subscription from the beginning that finds nothing': async ({ url, origin }) =>
    catchUp(await connectAs(url, masterToken), nearMiss, origin),
  'a subscription from the beginning that finds a quarter': async ({ url, origin }) =>
    catchUp(await connectAs(url, masterToken), fill('a/a/', '**', 100), origin),
  'a subscription from the beginning of a client with few rights': async ({ url, reader, origin }) =>
    expect(await catchUp(await connectAs(url, reader.token), '**', origin)).toEqual(numbersOf(readable)),
  'a stream from the beginning': async ({ url, admin, origin }) =>
    openStream(topicUrl(url, nearMiss, `/messages?from=${origin}`), admin),
  'many publishes of a client without the right to any of them': async ({ url, publisher }) =>
    publish(url, messagesFrom(0, batchMessages), publisher),
  'the maximum of live subscriptions': async ({ url, random }) => {
    const client = await connectAs(url, masterToken);
    const patterns = Array.from({ length: 128 }, () => anyPattern(random, '**'));
    await Promise.all(
      patterns.map(async (topic) => client.emitWithAck('subscribe', { topic }) as Promise<unknown>),
    );
    client.close();
  },
};

function connectAs(url: string, token: string): Promise<Socket> {
  return connectClient(url, 'websocket', { auth: { token } });
}

/** Ends like `end`; in between are other segments now and then, which a pattern has to have a `*` for. */
function anyTopic(random: Random, end: string): string {
  const segments = Array.from({ length: 120 }, () => (random.isOneIn(60) ? 'b' : 'a'));
  return [...segments, end].join('/');
}

interface PatternSubscriber {
  readonly client: Socket;
  readonly patterns: readonly string[];
  /** The messages that it got. */
  readonly got: unknown[];
}

async function subscribeToMany(url: string, random: Random): Promise<PatternSubscriber> {
  const client = await connectClient(url);
  const got: unknown[] = [];
  client.onAny((_topic, { message }: { message: unknown }) => void got.push(message));
  const segment = (): string => (random.isOneIn(4) ? 'a' : '*');
  const patterns = Array.from({ length: 128 }, () =>
    [...Array.from({ length: 120 }, segment), random.pick(['x', 'y', 'z', '*', '**'])].join('/'),
  );
  await Promise.all(
    patterns.map(async (topic) => client.emitWithAck('subscribe', { topic }) as Promise<unknown>),
  );
  return { client, patterns, got };
}

/** The time for many calls, as the minimum of five measurements. */
function cpuMs(work: () => void): number {
  const once = (): number => {
    const begun = process.cpuUsage();
    for (let at = 0; at < 200; at++) work();
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1_000;
  };
  return Math.min(...Array.from({ length: 5 }, once));
}

describe('A11: patterns that cost as much as they can, and 100,000 topics', () => {
  it(
    'the costliest patterns over 100,000 topics delay no client, and find all matching topics',
    { timeout: 240_000 },
    async () => {
      const random = new Random(seedOf('patterns'));
      const world = await startWithTopics(random);
      const { server, admin, reader } = world;
      const held: [string, number][] = [];
      for (const [what, attack] of Object.entries(attacks))
        held.push([what, await server.heldMs(async () => attack(world), heldMsMax)]);
      expect(held.filter(([, ms]) => ms > heldMsMax)).toEqual([]);
      const pattern = anyPattern(random, '*', 253);
      const found = await catchUp(await connectAs(world.url, masterToken), pattern, world.origin);
      expect(found.length).toBeGreaterThan(100);
      expect(found).toEqual(numbersOf(pattern));
      expect(await readAll(world, nearMiss, admin)).toEqual([]);
      expect(await readAll(world, readable, reader.headers)).toEqual(numbersOf(readable));
      expect([server.isGone, server.failures]).toEqual([false, []]);
    },
  );

  it('subscriptions to many costly patterns delay no publish, and each gets the messages of matching topics', async () => {
    const random = new Random(seedOf('live patterns'));
    const rule = JSON.stringify([{ match: '**', create: 'publish' }]);
    const server = await ProbedServer.fanfare(['--memory', '--rules', rule]);
    const { url } = server;
    const subscribers = [];
    for (let at = 0; at < 5; at++) subscribers.push(await subscribeToMany(url, random));
    // The patterns end with the last segments of these topics.
    const topics = Array.from({ length: 30 }, (_, at) => anyTopic(random, at % 2 === 0 ? 'x' : 'y'));
    let published = 0;
    const next = (): { readonly topic: string | undefined; readonly message: number } => ({
      topic: topics[published % topics.length],
      message: published++,
    });
    const publishes: Readonly<Record<string, () => unknown>> = {
      one: next,
      many: () => Array.from({ length: 1_000 }, next),
    };
    const held: [string, number][] = [];
    for (const [what, body] of Object.entries(publishes)) {
      const attack = async (): Promise<void> => {
        const { status, text } = await publish(url, body());
        expect([status, text]).toEqual([200, expect.not.stringContaining('"ok":false')]);
      };
      held.push([what, await server.heldMs(attack, heldMsMax)]);
    }
    expect(held.filter(([, ms]) => ms > heldMsMax)).toEqual([]);
    for (const { client, patterns, got } of subscribers) {
      const matching = new Set(topics.filter((topic) => patterns.some((pattern) => isMatch(pattern, topic))));
      const expected = Array.from({ length: published }, (_, number) => number).filter((number) =>
        matching.has(topics[number % topics.length] ?? ''),
      );
      // This acknowledgement comes after all earlier deliveries.
      await client.emitWithAck('unsubscribe', { topic: 'nothing' });
      expect(got).toEqual(expected);
    }
    expect([server.isGone, server.failures]).toEqual([false, []]);
  });

  it('the time of matching grows at most linearly with the length of a pattern', () => {
    const random = new Random(seedOf('long patterns'));
    const costOf = (bytes: number): Record<string, number> => {
      const patterns = Array.from({ length: 128 }, () => parseInterest(anyPattern(random, 'z', bytes)));
      const topic = parseTopic(fill('a/', 'y', bytes));
      const index = new SubscriptionIndex();
      for (const pattern of patterns) index.open(pattern, 'plain');
      return {
        one: cpuMs(() => patterns.some((pattern) => matches(pattern, topic))),
        many: cpuMs(() => index.matching(topic).length > 0),
      };
    };
    costOf(bytesMax);
    const [short, long] = [costOf(32), costOf(bytesMax)];
    for (const way of ['one', 'many']) {
      const growth = (long[way] ?? Infinity) / (short[way] ?? 0);
      expect(growth).toBeLessThan(4 * (bytesMax / 32));
    }
  });
});
