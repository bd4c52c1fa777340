import { request as httpRequest } from 'node:http';
import { describe, expect, it } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../../test/waits.ts';
import { bearer, secret, tokenFor } from '../access/tokens.ts';
import { connectClient, publish, startServer } from '../harness.ts';
import { openStream, StreamReader } from '../http-tools.ts';
import { loadedNames } from './inputs/requests.ts';

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Sends a request with an unchanged path: `fetch` treats `.` and `..` as steps. */
function ask(
  url: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = new Promise<Answer>((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const outgoing = httpRequest({ hostname, port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text })).on('error', reject);
    });
    outgoing.on('error', reject).end();
  });
  return within(soonMs, `the server answers ${method} ${path}`, answer);
}

function codeOf(text: string): string | undefined {
  return (JSON.parse(text) as { code?: string }).code;
}

/** Halves of surrogate pairs have no UTF-8 form; some encoders produce these bytes. */
function encode(name: string): string {
  return name.isWellFormed() ? encodeURIComponent(name) : '%ED%A0%80';
}

/** PROTOCOL.md 1.1, implemented again without code of the server. */
function isTopic(name: string): boolean {
  const bytes = new TextEncoder().encode(name).length;
  const isText = name.isWellFormed() && ![...name].some((one) => /\p{Cc}/u.test(one));
  return isText && bytes >= 1 && bytes <= 255 && !name.startsWith('$') && !hasWildcard(name);
}

function hasWildcard(name: string): boolean {
  return name.split('/').some((segment) => segment === '*' || segment === '**');
}

/** PROTOCOL.md 1.2. */
function isPattern(name: string): boolean {
  const segments = name.split('/');
  const isWithout = isTopic(segments.map((one) => (one === '*' ? 'a' : one === '**' ? 'aa' : one)).join('/'));
  return hasWildcard(name) && isWithout && !segments.slice(0, -1).includes('**');
}

function untouched(): void {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect('x' in {}).toBe(false);
}

const names = [
  ...loadedNames,
  'valueOf',
  'then',
  'length',
  '__defineGetter__',
  'a\u2028b',
  'a\u0085b',
  'a\u007fb',
  '\u0000',
  '{"_placeholder":true,"num":0}',
  '%00',
  '%2F',
  'a\'b"c<d>&',
  '${sub}',
  ' ',
  'news',
  ' news',
  'news ',
  'News',
  'é',
  'e\u0301',
  '😀',
];

const topics = names.filter(isTopic);

/** PROTOCOL.md 2.4. */
const reserved: ReadonlySet<string> = new Set(
  'connect connect_error disconnect disconnecting newListener removeListener message state gap error token __proto__'.split(
    ' ',
  ),
);

describe('A5: names with a special meaning elsewhere', () => {
  it('a name with a special meaning elsewhere is an ordinary topic everywhere, and comes back unchanged: all names together', async () => {
    const { url, server } = await startServer({ memory: true });
    const client = await connectClient(url);
    const delivered: unknown[] = [];
    client.on('message', ({ topic, message }: { topic: unknown; message: unknown }) =>
      delivered.push([topic, message]),
    );
    for (const topic of topics) {
      const path = `/topics/${encode(topic)}`;
      expect([topic, (await ask(url, 'PUT', path)).status]).toEqual([topic, 201]);
      expect(await client.emitWithAck('subscribe', { topic, envelope: true })).toMatchObject({
        ok: true,
        topic,
      });
      const answer = await publish(url, { topic, message: topic }, { accept: 'application/json' });
      expect(JSON.parse(answer.text)).toMatchObject({ ok: true, topic });
      expect(await client.emitWithAck('publish', { topic, message: topic })).toMatchObject({
        ok: true,
        topic,
      });
      await server.publish(topic, topic, { id: topic });
      const [batched] = JSON.parse((await publish(url, [{ topic, message: topic }])).text) as unknown[];
      expect(batched).toMatchObject({ ok: true, topic });
    }
    // Deliveries keep their order: this acknowledgement comes after all of them.
    await client.emitWithAck('unsubscribe', { topic: topics[0] });
    expect(delivered).toEqual(topics.flatMap((topic) => Array.from({ length: 4 }, () => [topic, topic])));
    const listed = JSON.parse((await ask(url, 'GET', '/topics?limit=1000')).text) as {
      topics: { topic: string }[];
    };
    expect(listed.topics.map(({ topic }) => topic).toSorted()).toEqual(topics.toSorted());
    for (const topic of topics) {
      const path = `/topics/${encode(topic)}`;
      expect(JSON.parse((await ask(url, 'GET', path)).text)).toMatchObject({ topic, messages: 4 });
      const page = JSON.parse((await ask(url, 'GET', `${path}/messages`)).text) as { messages: object[] };
      expect(page.messages).toMatchObject(Array.from({ length: 4 }, () => ({ topic, message: topic })));
      expect((await ask(url, 'DELETE', path)).status).toBe(204);
      expect((await ask(url, 'GET', path)).status).toBe(404);
    }
    untouched();
  });

  it('a name with a special meaning elsewhere is delivered as its own event, or refused if reserved: all names together', async () => {
    const { url } = await startServer({ memory: true });
    const client = await connectClient(url);
    const delivered: unknown[] = [];
    client.onAny((name: string, argument: unknown) => delivered.push([name, argument]));
    for (const topic of topics) {
      const answer: unknown = await client.emitWithAck('subscribe', { topic });
      const refused = { ok: false, error: { code: 'topic_name_reserved', status: 400 } };
      expect([topic, answer]).toMatchObject([topic, reserved.has(topic) ? refused : { ok: true, topic }]);
      await client.emitWithAck('publish', { topic, message: topic });
    }
    await client.emitWithAck('unsubscribe', { topic: topics[0] });
    const open = topics.filter((topic) => !reserved.has(topic));
    expect(delivered).toEqual(open.map((topic) => [topic, { message: topic }]));
    untouched();
  });

  it('a name with a special meaning elsewhere is an ordinary segment of a pattern: all names together', async () => {
    const { url } = await startServer({ memory: true });
    const client = await connectClient(url);
    const delivered: unknown[] = [];
    client.on('message', ({ topic }: { topic: unknown }) => delivered.push(topic));
    const segments = topics.filter((topic) => !topic.includes('/') && isTopic(`${topic}/${topic}`));
    for (const segment of segments)
      for (const topic of [`${segment}/*`, `*/${segment}`])
        expect([topic, await client.emitWithAck('subscribe', { topic, envelope: true })]).toMatchObject([
          topic,
          { ok: true, topic },
        ]);
    for (const segment of segments)
      await client.emitWithAck('publish', { topic: `${segment}/${segment}`, message: 1 });
    await client.emitWithAck('unsubscribe', { topic: '-' });
    expect(delivered).toEqual(segments.map((segment) => `${segment}/${segment}`));
    for (const segment of segments) {
      const page = await ask(url, 'GET', `/topics/${encode(`${segment}/*`)}/messages`);
      expect(JSON.parse(page.text)).toMatchObject({ messages: [{ topic: `${segment}/${segment}` }] });
    }
    untouched();
  });

  it.each(topics.filter((topic) => topic !== '.' && topic !== '..'))(
    'a name with a special meaning elsewhere is streamed unchanged: %j',
    async (topic) => {
      const { url } = await startServer({ memory: true });
      await ask(url, 'PUT', `/topics/${encode(topic)}`);
      await publish(url, { topic, message: topic });
      const stream = await openStream(`${url}/topics/${encode(topic)}/messages?from=earliest`);
      const { data } = await stream.until(({ event }) => event === 'message');
      expect(data).toMatchObject({ topic, message: topic });
    },
  );

  it.each(names.filter((name) => !isTopic(name)))(
    'an invalid name is refused in the same way everywhere: %j',
    async (name) => {
      const { url, server } = await startServer({ memory: true });
      const client = await connectClient(url);
      const refused = { ok: false, error: { code: 'topic_name_invalid', status: 400 } };
      const request = { topic: name, message: 1 };
      expect(codeOf((await publish(url, request)).text)).toBe('topic_name_invalid');
      expect(JSON.parse((await publish(url, [request])).text)).toMatchObject([refused]);
      expect(await client.emitWithAck('publish', request)).toMatchObject(refused);
      await expect(server.publish(name, 1)).rejects.toMatchObject({ code: 'topic_name_invalid' });
      // An empty path, or one that is not UTF-8, has no name at all.
      const inPath: unknown =
        name === '' || !name.isWellFormed()
          ? expect.stringMatching(/^(?:bad_request|topic_name_invalid|not_found)$/)
          : 'topic_name_invalid';
      for (const method of ['PUT', 'GET', 'DELETE'])
        expect(codeOf((await ask(url, method, `/topics/${encode(name)}`)).text)).toEqual(inPath);
      const answers = [
        await client.emitWithAck('subscribe', { topic: name, envelope: true }),
        await client.emitWithAck('unsubscribe', { topic: name }),
      ];
      const history = await ask(url, 'GET', `/topics/${encode(name)}/messages`);
      if (isPattern(name)) {
        expect(answers).toMatchObject([{ ok: true }, { ok: true }]);
        expect(history.status).toBe(200);
      } else {
        expect(answers).toMatchObject([refused, refused]);
        expect(codeOf(history.text)).toEqual(inPath);
        const stream = await ask(url, 'GET', `/topics/${encode(name)}/messages`, {
          accept: 'text/event-stream',
        });
        expect(codeOf(stream.text)).toEqual(inPath);
      }
      expect(JSON.parse((await ask(url, 'GET', '/topics')).text)).toEqual({ topics: [] });
      untouched();
    },
  );

  it("a message to a topic that is named like a connection's id reaches only the topic's subscribers", async () => {
    const { url } = await startServer();
    const [victim, other] = [await connectClient(url), await connectClient(url)];
    const got: unknown[] = [];
    victim.onAny((...event: unknown[]) => got.push(event));
    const topic = victim.id ?? '';
    await other.emitWithAck('subscribe', { topic });
    const delivered = nextEvent(other, topic, 'the message comes by its topic');
    await publish(url, { topic, message: 1 });
    expect(await delivered).toEqual({ message: 1 });
    await victim.emitWithAck('unsubscribe', { topic: '-' });
    expect(got).toEqual([]);
  });
});

describe('A4: names of prototypes', () => {
  const keys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'];

  it.each(keys)('a prototype name as a header changes nothing: %s', async (key) => {
    const { url } = await startServer({ memory: true });
    await ask(url, 'PUT', '/topics/news');
    for (const header of [
      key,
      'idempotency-key',
      'last-event-id',
      'accept',
      'authorization',
      'content-type',
      'origin',
      'cookie',
    ]) {
      const answer = await ask(url, 'GET', '/topics/news/messages', { [header]: `${key}=x; ${key}` });
      expect(answer.status).toBeLessThan(500);
    }
    expect((await publish(url, { topic: 'news', message: 1 }, { 'idempotency-key': key })).status).toBe(200);
    expect(
      JSON.parse((await publish(url, { topic: 'news', message: 2 }, { 'idempotency-key': key })).text),
    ).toMatchObject({ code: 'id_conflict' });
    untouched();
  });

  it.each(keys)('a prototype name in a query changes nothing: %s', async (key) => {
    const { url } = await startServer({ memory: true });
    await ask(url, 'PUT', '/topics/news');
    for (const query of [
      `${key}=1`,
      `${key}[x]=1`,
      `${key}.x=1`,
      `constructor[${key}][x]=1`,
      `limit[${key}]=1`,
    ])
      for (const path of ['/topics', '/topics/news/messages', '/publish', '/'])
        expect((await ask(url, 'GET', `${path}?${query}`)).status).toBe(path === '/publish' ? 405 : 200);
    for (const parameter of ['limit', 'from', 'last', 'time', 'cursor'])
      for (const path of parameter === 'cursor' ? ['/topics'] : ['/topics/news/messages'])
        expect([parameter, (await ask(url, 'GET', `${path}?${parameter}=${key}`)).status]).toEqual([
          parameter,
          400,
        ]);
    expect((await ask(url, 'GET', `/topics?prefix=${key}`)).text).toBe('{"topics":[]}');
    untouched();
  });

  it('the names of prototypes as JSON keys are part of the message, not fields of the request', async () => {
    const { url } = await startServer({ memory: true });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'news', envelope: true });
    const text = '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"a":[{"__proto__":{"x":1}}]}';
    const delivered = nextEvent<{ message: object }>(client, 'message', 'the message comes as an envelope');
    expect((await publish(url, `{"topic":"news","message":${text}}`)).status).toBe(200);
    expect(JSON.stringify((await delivered).message)).toBe(text);
    expect((await ask(url, 'GET', '/topics/news/messages')).text).toContain(`"message":${text},`);
    const inherited = JSON.parse(
      '{"__proto__":{"topic":"news","message":1,"from":"earliest","envelope":true}}',
    ) as object;
    expect(codeOf((await publish(url, JSON.stringify(inherited))).text)).toBe('bad_request');
    for (const event of ['publish', 'subscribe', 'unsubscribe'])
      expect(await client.emitWithAck(event, inherited)).toMatchObject({
        ok: false,
        error: { code: 'bad_request' },
      });
    untouched();
  });

  it.each(keys)('a prototype name as an id is not a connection: %s', async (key) => {
    const { url } = await startServer({ memory: true });
    await connectClient(url);
    for (const method of ['GET', 'DELETE'])
      expect(codeOf((await ask(url, method, `/connections/${key}`)).text)).toBe('connection_not_found');
  });

  it.each(keys)('a prototype name as a token opens nothing: %s', async (token) => {
    const { url } = await startServer({ key: secret, memory: true });
    const answer = await ask(url, 'GET', '/identity', { authorization: `Bearer ${token}` });
    expect([answer.status, codeOf(answer.text)]).toEqual([401, 'not_authenticated']);
    await expect(connectClient(url, 'websocket', { auth: { token } })).rejects.toMatchObject({
      data: { code: 'not_authenticated' },
    });
    const client = await connectClient(url, 'websocket', { auth: { token: await tokenFor() } });
    expect(await client.emitWithAck('token', { token })).toMatchObject({
      error: { code: 'not_authenticated' },
    });
  });

  it('the names of prototypes as claims give no rights, and as subjects are ordinary', async () => {
    const { url } = await startServer({ key: secret, memory: true });
    const all = { publish: ['**'], subscribe: ['**'], admin: true };
    const claims = JSON.parse(
      `{"__proto__":${JSON.stringify(all)},"constructor":{"prototype":${JSON.stringify(all)}}}`,
    ) as object;
    const headers = { connection: 'close', ...(await bearer(claims)) };
    expect((await ask(url, 'PUT', '/topics/news', headers)).status).toBeGreaterThanOrEqual(400);
    expect((await publish(url, { topic: 'news', message: 1 }, headers)).status).toBeGreaterThanOrEqual(400);
    expect((await ask(url, 'PUT', '/revocations/x', headers)).status).toBe(403);
    const admin = await bearer({ admin: true, sub: 'admin' });
    for (const sub of keys) {
      const token = await tokenFor({ sub, iat: -5, subscribe: ['**'] });
      const client = await connectClient(url, 'websocket', { auth: { token } });
      const ended = nextEvent(client, 'disconnect', "the revoked subject's connection is ended");
      expect(JSON.parse((await ask(url, 'PUT', `/revocations/${sub}`, admin)).text)).toMatchObject({
        subject: sub,
        ended: 1,
      });
      await ended;
      await expect(connectClient(url, 'websocket', { auth: { token } })).rejects.toThrow('revoked');
    }
    await connectClient(url, 'websocket', { auth: { token: await tokenFor({ sub: 'ann' }) } });
    untouched();
  });
});

describe('A6: text with a special meaning for another layer', () => {
  const placeholder = { _placeholder: true, num: 0 };

  it('messages with placeholders, line ends or packets are delivered unchanged, over every way in and out', async () => {
    const { url, server } = await startServer({ memory: true });
    const client = await connectClient(url);
    const polling = await connectClient(url, 'polling');
    for (const one of [client, polling])
      await one.emitWithAck('subscribe', { topic: 'news', envelope: true });
    const messages: unknown[] = [
      placeholder,
      { a: [placeholder, { num: 0, _placeholder: true }] },
      'a\r\nb\n\ndata: x\n\nevent: gap\n',
      '\u2028\u2029\u0000\u001e\u001b]0;x\u0007',
      '\u001e42["news",{"message":"forged"}]\u001e41',
      '\ud800',
      { '\ud800': 1, 'a\r\n': 2 },
    ];
    const got = [client, polling].map((one) => {
      const taken: unknown[] = [];
      one.on('message', ({ message }: { message: unknown }) => taken.push(message));
      return taken;
    });
    const stream = await openStream(`${url}/topics/news/messages?from=earliest`);
    for (const message of messages) {
      expect((await publish(url, { topic: 'news', message })).status).toBe(200);
      await server.publish('news', message);
      expect(JSON.parse((await publish(url, [{ topic: 'news', message }])).text)).toMatchObject([
        { ok: true },
      ]);
      expect(await client.emitWithAck('publish', { topic: 'news', message })).toMatchObject({ ok: true });
    }
    for (const one of [client, polling]) await one.emitWithAck('unsubscribe', { topic: '-' });
    const expected = messages.flatMap((message) => [message, message, message, message]);
    expect(got).toEqual([expected, expected]);
    const page = JSON.parse((await ask(url, 'GET', '/topics/news/messages')).text) as {
      messages: { message: unknown }[];
    };
    expect(page.messages.map(({ message }) => message)).toEqual(expected);
    await until('the stream brings them all', () => stream.messages.length >= expected.length, {
      step: () => stream.until(() => stream.messages.length >= expected.length),
      soFar: () => stream.messages,
    });
    expect(stream.messages).toEqual(expected);
  });

  it('values with a special meaning for another layer are refused as a topic, an id or a start', async () => {
    const { url } = await startServer({ memory: true });
    const client = await connectClient(url);
    for (const event of ['subscribe', 'unsubscribe', 'publish'])
      for (const topic of [placeholder, ['news'], { toString: 'news' }])
        expect(await client.emitWithAck(event, { topic, message: 1 })).toMatchObject({
          ok: false,
          error: { code: 'bad_request' },
        });
    for (const from of [placeholder, 'a\r\n.1', 'a.1\u0000'])
      expect(await client.emitWithAck('subscribe', { topic: 'news', from })).toMatchObject({
        ok: false,
        error: { code: 'bad_request' },
      });
    for (const id of ['a\r\nb', '\u0000', '\ud800', '\u0085', placeholder, ''])
      expect(await client.emitWithAck('publish', { topic: 'news', message: 1, id })).toMatchObject({
        ok: false,
        error: { code: 'bad_request' },
      });
    expect(JSON.parse((await ask(url, 'GET', '/topics')).text)).toEqual({ topics: [] });
  });

  it.each(['%C0%80', '%C0%AF', '%E0%80%AF', '%ED%A0%80', '%FF', '%', '%2', '%zz', '%F4%90%80%80'])(
    'bytes that are not UTF-8 are refused: %s',
    async (bytes) => {
      const { url } = await startServer({ memory: true });
      for (const path of [`/topics/${bytes}`, `/topics/${bytes}/messages`, `/topics?prefix=${bytes}`]) {
        const answer = await ask(url, 'GET', path);
        expect([path, answer.status, codeOf(answer.text)]).toEqual([path, 400, 'bad_request']);
      }
    },
  );

  it('line ends in a path get into no response header and no event of a stream', async () => {
    const { url } = await startServer({ memory: true });
    const answer = await ask(url, 'GET', '/topics/a%0D%0ASet-Cookie:%20x/messages');
    expect(codeOf(answer.text)).toBe('topic_name_invalid');
    const stream = new StreamReader(`${url}/topics/a%0Aevent:%20x/messages`);
    expect((await stream.opened()).statusCode).toBe(400);
    const missing = await ask(url, 'GET', '/nothing%0D%0Ax');
    expect(missing.text).not.toContain('\r');
  });
});
