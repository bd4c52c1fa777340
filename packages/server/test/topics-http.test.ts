import { request } from 'node:http';
import type { TopicPage } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { soonMs, until, within } from '../../../test/waits.ts';
import { connectClient, publish, startServer } from './harness.ts';
import { declare, readPage, temporaryDirectory, topicUrl } from './http-tools.ts';

async function list(url: string, query = ''): Promise<TopicPage> {
  const response = await fetch(`${url}/topics${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as TopicPage;
}

/** Sends a request with an unchanged path: `fetch` would normalize it. */
async function send(
  url: string,
  method: string,
  path: string,
): Promise<{ status: number; answer: { code?: string; topic?: string; messages?: unknown } }> {
  const { hostname, port } = new URL(url);
  const answer = new Promise<Awaited<ReturnType<typeof send>>>((resolve, reject) => {
    const sent = request({ hostname, port, method, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, answer: JSON.parse(text || '{}') as object });
      });
    });
    sent.once('error', reject).end();
  });
  return within(soonMs, `the server answers ${method} ${path}`, answer);
}

/** The rule of topics that no rule matches. */
const usualRule = { match: '**', keep: { count: 100_000, age: '7d', bytes: '64MiB' }, create: 'subscribe' };

describe('a topic', () => {
  it('a topic reports how many messages were published to it, and the time of the last one', async () => {
    const data = await temporaryDirectory();
    const rules = [{ match: 'passing', keep: 'none' }] as const;
    const first = await startServer({ data, rules });
    const topics = ['kept', 'passing', 'silent'];
    for (const topic of topics) await declare(first.url, topic);
    const times: number[] = [];
    for (const topic of ['kept', 'kept', 'passing']) {
      const { text } = await publish(first.url, { topic, message: 1 }, { accept: 'application/json' });
      times.push((JSON.parse(text) as { time: number }).time);
    }
    // Duplicates and refused publishes do not count.
    for (const message of [1, 1, 2]) await publish(first.url, { topic: 'kept', message, id: 'x' });
    const [kept, passing, silent] = (await list(first.url)).topics;
    expect(kept).toMatchObject({ topic: 'kept', published: 3, messages: 3 });
    expect(passing).toEqual({
      topic: 'passing',
      subscribers: 0,
      messages: 0,
      published: 1,
      lastTime: times[2],
    });
    expect(silent).toEqual({ topic: 'silent', subscribers: 0, messages: 0, published: 0 });
    const page = await readPage(first.url, 'kept');
    expect((kept as { lastTime?: number }).lastTime).toBe((page.messages.at(-1) as { time?: number }).time);
    await first.server.stop();

    const { url } = await startServer({ data, rules });
    expect((await list(url)).topics).toEqual([
      { ...kept, published: 0 },
      { topic: 'passing', subscribers: 0, messages: 0, published: 0 },
      { topic: 'silent', subscribers: 0, messages: 0, published: 0 },
    ]);
    await publish(url, { topic: 'kept', message: 1 });
    await fetch(topicUrl(url, 'passing'), { method: 'DELETE' });
    expect((await list(url)).topics).toMatchObject([
      { topic: 'kept', published: 1, messages: 4 },
      { topic: 'silent' },
    ]);
    await fetch(topicUrl(url, 'kept'), { method: 'DELETE' });
    await declare(url, 'kept');
    expect((await list(url)).topics).toMatchObject([{ topic: 'kept', published: 0 }, { topic: 'silent' }]);
  });

  it('a topic reports the rule that applies to it, as written in a rules file', async () => {
    const rules = [
      { match: 'a', keep: 'none', create: 'publish' },
      {
        match: 'a/*',
        keep: { count: 5, age: '90m', bytes: '512KiB' },
        publishBytesMax: 100,
        publisher: true,
      },
      { match: '**', keep: { age: '1d' }, subscribe: true },
    ] as const;
    const { url } = await startServer({ rules });
    const ruleOf = async (topic: string): Promise<unknown> => {
      await declare(url, topic);
      return ((await (await fetch(topicUrl(url, topic))).json()) as { rule: unknown }).rule;
    };
    expect(await ruleOf('a')).toEqual(rules[0]);
    expect(await ruleOf('a/1')).toEqual({ ...rules[1], create: 'subscribe' });
    const keep = { count: 100_000, age: '1d', bytes: '64MiB' };
    expect(await ruleOf('a/1/2')).toEqual({ ...rules[2], keep, create: 'subscribe' });
  });

  it('a topic can be declared, queried and deleted', async () => {
    const { url } = await startServer();
    const topic = topicUrl(url, 'a/b c');
    expect((await fetch(topic)).status).toBe(404);
    const made = await fetch(topic, { method: 'PUT' });
    expect([made.status, await made.json()]).toMatchObject([
      201,
      { topic: 'a/b c', subscribers: 0, messages: 0, published: 0 },
    ]);
    expect((await fetch(topic, { method: 'PUT' })).status).toBe(200);
    await publish(url, { topic: 'a/b c', message: 1 });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'a/b c' });
    const told = (await (await fetch(topic)).json()) as object;
    const { next } = await readPage(url, 'a/b c');
    expect(told).toEqual({
      topic: 'a/b c',
      subscribers: 1,
      messages: 1,
      lastOffset: next,
      published: 1,
      lastTime: expect.any(Number) as number,
      rule: usualRule,
    });

    const gone = await fetch(topic, { method: 'DELETE' });
    expect([gone.status, await gone.text()]).toEqual([204, '']);
    for (const method of ['GET', 'DELETE']) {
      const missing = await fetch(topic, { method });
      expect([missing.status, await missing.json()]).toEqual([
        404,
        expect.objectContaining({ code: 'topic_not_found' }),
      ]);
    }
  });

  it('a declared topic still exists after a restart', async () => {
    const data = await temporaryDirectory();
    const first = await startServer({ data });
    await declare(first.url, 'kept');
    await first.server.stop();
    const { url } = await startServer({ data });
    expect((await fetch(topicUrl(url, 'kept'))).status).toBe(200);
  });

  it('a topic is declared without a body, and a body is ignored', async () => {
    const { url } = await startServer();
    const bodies: RequestInit[] = [
      { body: '{"topic":"other"}', headers: { 'content-type': 'application/json' } },
      { body: 'x', headers: { 'content-type': 'text/plain' } },
      { headers: { 'content-type': 'application/json' } },
      { body: new Uint8Array(5_000_000) },
    ];
    for (const init of bodies) {
      const response = await fetch(topicUrl(url, 'news'), { method: 'PUT', ...init });
      expect(await response.json()).toEqual({
        topic: 'news',
        subscribers: 0,
        messages: 0,
        published: 0,
        rule: usualRule,
      });
    }
    expect((await list(url)).topics).toHaveLength(1);
  });

  it.each([
    ['', 'topic_name_invalid'],
    ['%', 'bad_request'],
    ['%zz', 'bad_request'],
    ['%ff', 'bad_request'],
    ['a%C3', 'bad_request'],
    ['%ED%A0%80', 'bad_request'],
    ['a%00b', 'topic_name_invalid'],
    ['a%0Db', 'topic_name_invalid'],
    ['%24sys', 'topic_name_invalid'],
    ['$sys', 'topic_name_invalid'],
    ['%61'.repeat(256), 'topic_name_invalid'],
    ['a'.repeat(9_000), 'topic_name_invalid'],
  ])('an invalid topic name is refused in every request: %j', async (name, code) => {
    const { url } = await startServer();
    for (const [method, rest] of [
      ['GET', ''],
      ['PUT', ''],
      ['DELETE', ''],
      ['GET', '/messages'],
    ] as const) {
      expect(await send(url, method, `/topics/${name}${rest}`)).toMatchObject({
        status: 400,
        answer: { code },
      });
    }
    expect((await list(url)).topics).toEqual([]);
  });

  it('a pattern is refused as the name of a topic', async () => {
    const { url } = await startServer();
    for (const pattern of ['*', 'a/**', '**'])
      for (const method of ['GET', 'PUT', 'DELETE'])
        expect(await send(url, method, `/topics/${encodeURIComponent(pattern)}`)).toMatchObject({
          status: 400,
          answer: { code: 'topic_name_invalid' },
        });
  });

  it('every other name is a valid topic', async () => {
    const { url } = await startServer();
    const names = [
      'a/b',
      'a//b',
      '/',
      '.',
      '..',
      '../x',
      '%',
      '%25',
      '%2F',
      'a+b',
      'a b',
      'a?b#c;d&e=f',
      '😀',
      '__proto__',
      'constructor',
      'messages',
      'x'.repeat(255),
      '\u2028',
      'A',
      'a',
    ];
    const segment = fc
      .string({ unit: 'binary', maxLength: 30 })
      .filter((text) => /^[^$\p{Cc}*][^\p{Cc}*]*$/u.test(text));
    for (const name of [...names, ...fc.sample(segment, 100)]) {
      const path = `/topics/${encodeURIComponent(name).replaceAll('.', '%2E')}`;
      const { status, answer } = await send(url, 'PUT', path);
      expect([200, 201]).toContain(status);
      expect(answer.topic).toBe(name);
      expect(await publish(url, { topic: name, message: 1 })).toMatchObject({ status: 200 });
      expect((await send(url, 'GET', `${path}/messages?last=1`)).answer.messages).toMatchObject([
        { topic: name },
      ]);
    }
  });
});

describe('the list of topics', () => {
  it('the list of topics comes in pages, in the order of the names', async () => {
    const { url } = await startServer();
    const names = Array.from({ length: 250 }, (_, at) => `t/${at} é😀`).toSorted();
    for (const name of names) await declare(url, name);
    await declare(url, 'other');
    const found: string[] = [];
    let cursor: string | undefined;
    const sizes: number[] = [];
    const readNext = async (): Promise<void> => {
      const page = await list(url, `?prefix=t%2F${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      sizes.push(page.topics.length);
      found.push(...page.topics.map(({ topic }) => topic));
      ({ cursor } = page);
    };
    await readNext();
    await until('the last page has no cursor', () => cursor === undefined, {
      step: readNext,
      soFar: () => sizes,
    });
    expect(found).toEqual(names);
    expect(sizes).toEqual([100, 100, 50]);
    expect(await list(url, '?limit=250&prefix=t%2F')).not.toHaveProperty('cursor');
    expect((await list(url, '?prefix=t/1+%C3%A9')).topics).toHaveLength(1);
    expect(await list(url, '?prefix=%2A&unknown=1&unknown=2')).toEqual({ topics: [] });
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['limit=%31%', 'limit'],
    ['prefix=%ff', 'prefix'],
    ['prefix=a&prefix=a', 'prefix'],
    ['cursor=', 'cursor'],
    ['cursor=*', 'cursor'],
    ['cursor=_w', 'cursor'],
  ])('the list of topics refuses wrong parameters, and names them: %s', async (query, field) => {
    const { url } = await startServer();
    const response = await fetch(`${url}/topics?${query}`);
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { code: 'bad_request', errors: [{ field }] },
    ]);
  });
});

describe('the paths under /topics', () => {
  it('the paths under /topics refuse other methods, and longer paths get 404', async () => {
    const { url } = await startServer();
    for (const [path, allow] of [
      ['/topics', 'GET, HEAD'],
      ['/topics/x', 'GET, HEAD, PUT, DELETE'],
      ['/topics/x/messages', 'GET, HEAD'],
      ['/topic?topic=x', 'GET, HEAD, PUT, DELETE'],
      ['/messages?topic=x', 'GET, HEAD'],
      ['/subscribers?topic=x', 'GET, HEAD'],
    ] as const) {
      const response = await fetch(`${url}${path}`, { method: 'POST', body: '{}' });
      expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
      expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
    }
    for (const path of ['/topics/a/b', '/topics/a/messages/1', '/topic/x']) {
      expect((await fetch(`${url}${path}`)).status).toBe(404);
    }
    await declare(url, 'x');
    expect((await fetch(`${url}/topics/x`, { method: 'HEAD' })).status).toBe(200);
  });
});
