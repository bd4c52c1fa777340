import type { HistoryPage, TopicPage } from '@fanfare/protocol';
import type { RuleSetting } from '@fanfare/server';
import { expect, it } from 'vitest';
import { until } from '../../../../test/waits.ts';
import { connectClient, publish, startServer } from '../harness.ts';
import { openStream, topicUrl, type StreamReader } from '../http-tools.ts';
import { RedisServer } from '../redis/redis-server.ts';
import { seeded } from '../faults/random.ts';
import { isAllowed, standsFor, type Asker } from './reference.ts';
import { bearer, secret, tokenFor } from './tokens.ts';

const chance = seeded('agreement');
const random = (below: number): number => chance.below(below);
const pick = <T>(from: readonly T[]): T => chance.pick(from);
const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
const segments = ['a', 'b', 'ann', '%2A', 'a%2Fb'];
const subs = ['ann', 'b', '*', 'a/b'];

function pattern(wild: readonly string[] = ['*', '*']): string {
  const parts = many(1 + random(3), () => pick([...segments.slice(0, 4), ...wild]));
  return random(3) === 0
    ? [...parts, '**'].slice(random(2) * (parts.length > 1 ? 1 : 0)).join('/')
    : parts.join('/');
}

const rule = (): RuleSetting => ({
  match: pattern(['*', '${sub}', '${sub}']),
  create: 'publish',
  subscribe: random(2) === 0,
  publish: random(2) === 0,
});

const asker = (): Asker => ({
  sub: pick(subs),
  publish: many(random(3), () => pattern()),
  subscribe: many(random(3), () => pattern()),
  admin: random(12) === 0,
});

interface Reader {
  readonly who: Asker;
  readonly pattern: string;
  /** The messages that came on each path, as `before a/b`. */
  readonly got: Map<string, string[]>;
  readonly refused: Set<string>;
  /** The id of the connection of its Socket.IO client. */
  id?: string | undefined;
  stream?: StreamReader;
}

/** The servers of each world. Those of one world share a log. */
const worlds = [1, 1, 1, 3];
const askers = 12;
const patterns = 15;
const topicCount = 30;
const paths = ['plain', 'envelope', 'stream', 'history'] as const;

/** Notes an envelope's topic and message if the test itself has published it. */
const note = (got: string[], topic: unknown, message: unknown): void => {
  if (message === 'before' || message === 'after') got.push(`${message} ${String(topic)}`);
};

/** The URL of any of the servers. */
type AnyUrl = () => string;

async function open(url: AnyUrl, who: Asker, wanted: string): Promise<Reader> {
  const reader: Reader = { who, pattern: wanted, got: new Map(), refused: new Set() };
  for (const path of paths) reader.got.set(path, []);
  const headers = await bearer(who);
  const client = await connectClient(url(), 'websocket', { auth: { token: await tokenFor(who) } });
  reader.id = client.id;
  client.onAny((event: string, argument: { topic?: string; message?: unknown }) => {
    if (event === 'message') note(reader.got.get('envelope') ?? [], argument.topic, argument.message);
    else note(reader.got.get('plain') ?? [], event, argument.message);
  });
  for (const envelope of [false, true]) {
    const answer = (await client.emitWithAck('subscribe', { topic: wanted, envelope, from: 'earliest' })) as {
      ok: boolean;
    };
    if (!answer.ok) reader.refused.add(envelope ? 'envelope' : 'plain');
  }
  const stream = await openStream(topicUrl(url(), wanted, '/messages'), headers).catch(() => undefined);
  if (stream) reader.stream = stream;
  else reader.refused.add('stream');
  return reader;
}

async function readHistory(url: AnyUrl, { who, pattern: wanted, got, refused }: Reader): Promise<void> {
  const headers = { ...(await bearer(who)), connection: 'close' };
  let from = 'earliest';
  const isLast = async (): Promise<boolean> => {
    const response = await fetch(topicUrl(url(), wanted, `/messages?limit=1000&from=${from}`), { headers });
    if (response.status !== 200) {
      refused.add('history');
      return true;
    }
    const page = (await response.json()) as HistoryPage;
    for (const { topic, message } of page.messages) note(got.get('history') ?? [], topic, message);
    from = page.next;
    return !page.more;
  };
  await until('the last page of the history is read', isLast, { soFar: () => from });
}

/** Tries every action on every topic. @returns the disagreements */
async function act(
  url: AnyUrl,
  who: Asker,
  topics: readonly string[],
  rules: readonly RuleSetting[],
): Promise<string[]> {
  const wrong: string[] = [];
  const headers = await bearer(who);
  const check = (
    path: string,
    topic: string,
    action: 'publish' | 'subscribe' | 'delete',
    was: boolean,
  ): void => {
    if (was !== isAllowed(action, topic, who, rules))
      wrong.push(`${path} ${topic}: ${was} to ${JSON.stringify(who)}`);
  };
  const client = await connectClient(url(), 'websocket', { auth: { token: await tokenFor(who) } });
  const ok = async (topic: string, method: string): Promise<boolean> => {
    const response = await fetch(topicUrl(url(), topic), {
      method,
      headers: { ...headers, connection: 'close' },
    });
    await response.arrayBuffer();
    return response.status < 300;
  };
  const all = topics.map((topic) => ({ topic, message: 'other' }));
  const results = JSON.parse((await publish(url(), all, headers)).text) as { ok: boolean }[];
  const lines = await publish(url(), all.map((one) => JSON.stringify(one)).join('\n'), {
    ...headers,
    'content-type': 'application/x-ndjson',
  });
  const lineResults = lines.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { ok: boolean });
  const list = (await (
    await fetch(`${url()}/topics?limit=1000`, { headers: { ...headers, connection: 'close' } })
  ).json()) as TopicPage;
  const listed = new Set(list.topics.map(({ topic }) => topic));
  for (const [at, topic] of topics.entries()) {
    check('batch', topic, 'publish', results[at]?.ok === true);
    check('lines', topic, 'publish', lineResults[at]?.ok === true);
    check(
      'http',
      topic,
      'publish',
      (await publish(url(), { topic, message: 'other' }, headers)).status === 200,
    );
    const answer = (await client.emitWithAck('publish', { topic, message: 'other' })) as { ok: boolean };
    check('socket', topic, 'publish', answer.ok);
    check('put', topic, 'publish', await ok(topic, 'PUT'));
    check('get', topic, 'subscribe', await ok(topic, 'GET'));
    check('list', topic, 'subscribe', listed.has(topic));
    if (!who.admin) check('delete', topic, 'delete', await ok(topic, 'DELETE'));
  }
  client.close();
  return wrong;
}

/** The wrong entries in the subscribers of a topic as an admin sees them: one too many, or one missing. */
async function misreported(
  url: AnyUrl,
  topic: string,
  readers: readonly Reader[],
  rules: readonly RuleSetting[],
): Promise<string[]> {
  const headers = { ...(await bearer({ admin: true })), connection: 'close' };
  const response = await fetch(topicUrl(url(), topic, '/subscribers?limit=1000'), { headers });
  const { subscribers } = (await response.json()) as {
    subscribers: { connection: string; transport: string; subject: string; via: string; envelope: boolean }[];
  };
  const told = subscribers.map(({ connection, transport, subject, via, envelope }) =>
    transport === 'stream'
      ? `stream of ${via} to ${subject}`
      : `${envelope ? 'envelope' : 'plain'} of ${via} to ${subject} as ${connection}`,
  );
  const due = readers.flatMap(({ who, pattern: via, id, refused }) => {
    if (!standsFor(via.split('/'), topic.split('/')) || !isAllowed('subscribe', topic, who, rules)) return [];
    return paths
      .filter((path) => path !== 'history' && !refused.has(path))
      .map((path) => `${path} of ${via} to ${who.sub}${path === 'stream' ? '' : ` as ${id}`}`);
  });
  const isRight = JSON.stringify(told.toSorted()) === JSON.stringify(due.toSorted());
  return isRight ? [] : [`subscribers of ${topic}: ${told.join()} and not ${due.join()}`];
}

/** The messages that came and should not have, and those that should have come and did not. */
function disagreements(reader: Reader, topics: readonly string[], rules: readonly RuleSetting[]): string[] {
  const { who, pattern: wanted, got, refused } = reader;
  const expected = topics.filter(
    (topic) => standsFor(wanted.split('/'), topic.split('/')) && isAllowed('subscribe', topic, who, rules),
  );
  return paths.flatMap((path) => {
    const due = ['before', 'after'].flatMap((when) => expected.map((topic) => `${when} ${topic}`));
    const came = got.get(path) ?? [];
    const isRight = refused.has(path)
      ? due.length === 0
      : JSON.stringify(came.toSorted()) === JSON.stringify(due.toSorted());
    return isRight
      ? []
      : [`${path} of ${wanted} to ${JSON.stringify(who)}: ${came.join()} and not ${due.join()}`];
  });
}

it(
  'every path grants exactly what the reference grants, for every subject, pattern and rule',
  { timeout: 240_000 },
  async () => {
    let cases = 0;
    const delivered = { some: 0, none: 0 };
    for (const [world, size] of worlds.entries()) {
      const rules: RuleSetting[] = [...many(random(5), rule), { match: '**', create: 'publish' }];
      const topics = [...new Set(many(200, () => many(1 + random(3), () => pick(segments)).join('/')))].slice(
        0,
        topicCount,
      );
      const options = { key: secret, rules, topicsMax: 1_000, subscriptionsPerConnectionMax: 10 };
      const shared = size > 1 ? { ...options, redis: (await RedisServer.start()).url } : options;
      const servers = await Promise.all(many(size, () => startServer(shared)));
      const url = (): string => pick(servers).url;
      for (const topic of topics) await pick(servers).server.publish(topic, 'before');
      const whos = many(askers, asker);
      const readers: Reader[] = [];
      for (const who of whos) {
        const wanted = many(patterns, () => (random(6) === 0 ? pick(topics) : pattern()));
        readers.push(...(await Promise.all(wanted.map((one) => open(url, who, one)))));
      }
      const wrong: string[] = [];
      for (const who of whos) wrong.push(...(await act(url, who, topics, rules)));
      for (const topic of topics) await pick(servers).server.publish(topic, 'after');
      await Promise.all(readers.map((reader) => readHistory(url, reader)));
      for (const topic of topics) wrong.push(...(await misreported(url, topic, readers, rules)));
      // A server that has read up to the head has sent everything to its clients. They get it before it ends.
      const all = readers.find(({ who }) => who.admin) ?? readers[0];
      for (const one of servers) if (all) await readHistory(() => one.url, { ...all, got: new Map() });
      await Promise.all(servers.map(({ server }) => server.stop()));
      for (const reader of readers) {
        await reader.stream?.ended();
        for (const { event, data } of reader.stream?.events ?? [])
          if (event === 'message') note(reader.got.get('stream') ?? [], data['topic'], data['message']);
        wrong.push(...disagreements(reader, topics, rules));
        delivered[(reader.got.get('history') ?? []).length > 0 ? 'some' : 'none']++;
      }
      expect(wrong, `seed ${chance.seed}, world ${world}, rules ${JSON.stringify(rules)}`).toEqual([]);
      cases += readers.length * topics.length + whos.length * topics.length * 8;
    }
    expect(cases).toBeGreaterThanOrEqual(20_000);
    // The test proves nothing unless some messages are delivered and others are not.
    expect(Math.min(delivered.some, delivered.none), `seed ${chance.seed}`).toBeGreaterThan(20);
  },
);

it('the comparison with the reference detects one message too many and one too few', () => {
  const who: Asker = { sub: 'ann', publish: [], subscribe: ['a'], admin: false };
  const reader = (came: string[]): Reader => ({
    who,
    pattern: '*',
    got: new Map(paths.map((path) => [path, came])),
    refused: new Set(),
  });
  const wrong = (came: string[]): number => disagreements(reader(came), ['a', 'b'], []).length;
  expect(wrong(['before a', 'after a'])).toBe(0);
  expect(wrong(['before a', 'after a', 'after b'])).toBe(paths.length);
  expect(wrong(['before a'])).toBe(paths.length);
  expect(wrong(['before a', 'after a', 'after a'])).toBe(paths.length);
});
