import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attach } from '@fanfare/server';
import { Server as SocketServer } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';
import { secret, tokenFor } from './access/tokens.ts';
import { publish, startServer } from './harness.ts';
import { runPython } from './python-program.ts';

describe.each(['polling', 'websocket', 'upgrade'])("a student's Python programs over %s", (transport) => {
  it("a student's Python programs subscribe, get what a Python publisher publishes, and unsubscribe", async () => {
    const { url } = await startServer();
    const publisher = runPython('publisher.py', url);
    publisher.type('breaking news');
    publisher.type('"too early"');
    expect(await publisher.line()).toBe("404 Topic 'breaking news' does not exist");

    const subscriber = runPython('subscriber.py', url, transport);
    expect(await subscriber.line()).toBe('connected');
    subscriber.type('subscribe breaking news');
    expect(await subscriber.line()).toMatch(/^acknowledged \{'ok': True, 'topic': 'breaking news'/);
    subscriber.type('subscribe-quietly breaking news');

    const messages: readonly [string, string][] = [
      ['"hello"', "'hello'"],
      ['null', 'None'],
      [
        '[1, 1.0, 9007199254740993, {"a": "\\u00e9\\ud83d\\ude80"}]',
        "[1, 1.0, 9007199254740993, {'a': 'é🚀'}]",
      ],
      ['{"a": {"b": true}}', "{'a': {'b': True}}"],
    ];
    for (const [json, seen] of messages) {
      publisher.type('breaking news');
      publisher.type(json);
      expect(await publisher.line()).toBe("200 Message published to topic 'breaking news'");
      expect(await subscriber.line()).toBe(`breaking news {'message': ${seen}}`);
    }

    subscriber.type('unsubscribe breaking news');
    expect(await subscriber.line()).toBe("acknowledged {'ok': True, 'topic': 'breaking news'}");
    subscriber.type('subscribe connect');
    expect(await subscriber.line()).toMatch(/^acknowledged .*'code': 'topic_name_reserved'/);
    subscriber.type('subscribe-quietly $x');
    expect(await subscriber.line()).toMatch(/^error .*'code': 'topic_name_invalid'/);
  });

  it('a Python subscriber gets every message that was acknowledged before the server stopped', async () => {
    const { url, server } = await startServer();
    const subscriber = runPython('subscriber.py', url, transport);
    expect(await subscriber.line()).toBe('connected');
    subscriber.type('subscribe news');
    await subscriber.line();
    const numbers = [...Array(100).keys()];
    await Promise.all(numbers.map((message) => server.publish('news', message)));
    await server.stop();
    const seen: string[] = [];
    for (const _ of numbers) seen.push(await subscriber.line());
    expect(new Set(seen)).toEqual(new Set(numbers.map((message) => `news {'message': ${message}}`)));
  });

  it('a Python subscriber gets every message of a burst', async () => {
    const { url } = await startServer();
    const subscriber = runPython('subscriber.py', url, transport);
    expect(await subscriber.line()).toBe('connected');
    subscriber.type('subscribe news');
    await subscriber.line();
    const numbers = [...Array(300).keys()];
    await Promise.all(numbers.map((message) => publish(url, { topic: 'news', message })));
    const seen: string[] = [];
    for (const _ of numbers) seen.push(await subscriber.line());
    expect(new Set(seen)).toEqual(new Set(numbers.map((message) => `news {'message': ${message}}`)));
  });
});

describe.each(['threads', 'asyncio'])('a Python app with its own User-Agent that polls, with %s,', (kind) => {
  const numbers = [...Array(200).keys()];

  async function expectAll(url: string, topic: string): Promise<void> {
    const client = runPython('resuming.py', url, kind, topic);
    const lines: string[] = [];
    expect(await client.line()).toBe('connected');
    for (const _ of numbers) {
      const line = await client.line();
      // python-engineio closes its connection after a response that is too long, and reconnects.
      expect(line).not.toBe('connected');
      lines.push(line);
    }
    // The handlers of the Python client can overtake one another.
    expect(lines.toSorted()).toEqual(numbers.map((message) => `message ${message}`).toSorted());
  }

  it('a Python client that polls gets all of 200 missed messages over one connection', async () => {
    const { url } = await startServer({ rules: [{ match: '**', create: 'publish' }] });
    await publish(
      url,
      numbers.map((message) => ({ topic: 'news', message })),
    );
    await expectAll(url, 'news');
    expect(await (await fetch(`${url}/stats`)).json()).toMatchObject({ connections: 1, deliveries: 200 });
  });

  it("a Python client that polls gets 200 missed messages from an app's own Socket.IO server too", async () => {
    const httpServer = createHttpServer();
    const io = new SocketServer(httpServer);
    onTestFinished(() => void io.close());
    const fanfare = await attach(httpServer, { io, rules: [{ match: '**', create: 'publish' }] });
    onTestFinished(() => fanfare.stop());
    await startListening(httpServer);
    for (const message of numbers) await fanfare.publish('news', message);
    await expectAll(`http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`, 'news');
  });
});

describe.each(['polling', 'websocket'])('a Python client with a token over %s', (transport) => {
  const lineOf = (event: string, argument: object): string => `${event} ${JSON.stringify(argument)}`;

  it('a Python client has the rights of its token, can renew it, and gets an error when it expires', async () => {
    const { url, server } = await startServer({ key: secret });
    const token = await tokenFor({ subscribe: ['a'], exp: 3 });
    const client = runPython('token_client.py', url, transport, token);
    expect(await client.line()).toBe('connected');
    client.type(lineOf('subscribe', { topic: 'b' }));
    expect(await client.line()).toBe('answer not_authorized');
    client.type(lineOf('token', { token: await tokenFor({ subscribe: ['a', 'b'], exp: 4 }) }));
    expect(await client.line()).toBe('answer ok');
    client.type(lineOf('subscribe', { topic: 'b', envelope: true }));
    expect(await client.line()).toBe('answer ok');
    await server.publish('b', 'hello');
    expect(await client.line()).toBe('message b hello');
    // The server sends them in a fixed order, but the handlers can overtake one another.
    expect([await client.line(), await client.line()].toSorted()).toEqual([
      'disconnected',
      'error token_expired',
    ]);
  });

  it('a Python client gets an error when its subject is revoked, and the reason when it is refused', async () => {
    const { url } = await startServer({ key: secret });
    const client = runPython('token_client.py', url, transport, await tokenFor({ sub: 'py', iat: -5 }));
    expect(await client.line()).toBe('connected');
    const headers = { authorization: `Bearer ${await tokenFor({ admin: true })}`, connection: 'close' };
    await fetch(`${url}/revocations/py`, { method: 'PUT', headers });
    // The server sends them in a fixed order, but the handlers can overtake one another.
    expect([await client.line(), await client.line()].toSorted()).toEqual([
      'disconnected',
      'error not_authenticated',
    ]);
    for (const token of ['', 'x', await tokenFor({ sub: 'py', iat: -5 })])
      expect(await runPython('token_client.py', url, transport, token).line()).toBe(
        'refused not_authenticated',
      );
  });
});
