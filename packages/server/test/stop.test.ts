import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, FanfareError, SettingsError } from '@fanfare/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../test/waits.ts';
import { readPage, temporaryDirectory } from './http-tools.ts';
import { connectClient, connectRaw, publish, startServer, strictLogger, transports } from './harness.ts';

describe('a server that stops', () => {
  it.each(transports)(
    'a server that stops closes connections over %s in such a way that clients reconnect',
    async (transport) => {
      const { url, server } = await startServer();
      const client = await connectClient(url, transport);
      const gone = nextEvent(client, 'disconnect', 'the server lets its clients go when it stops');
      await server.stop();
      // Not «io server disconnect», after which a client would not reconnect by itself.
      expect(await gone).toMatch(/^transport (close|error)$/);
      await expect(fetch(url)).rejects.toThrow('fetch failed');
    },
  );

  it('a stopped server leaves nothing that keeps the process alive', async () => {
    const code = `import { createServer } from '@fanfare/server';
      const server = createServer({ port: 0 });
      await server.start();
      await server.stop();`;
    // The limit is below the 30 seconds for which Engine.IO waits for the last poll of a session.
    const program = spawn(process.execPath, ['--input-type=module', '-e', code], { timeout: 20_000 });
    expect(
      await within(soonMs, 'nothing keeps the program up once the server has stopped', once(program, 'exit')),
    ).toEqual([0, null]);
  });

  it.each(transports)(
    'a server that stops first delivers every acknowledged message over %s',
    async (transport) => {
      const { url, server } = await startServer();
      const client = await connectClient(url, transport);
      const received: unknown[] = [];
      client.on('news', ({ message }: { message: unknown }) => received.push(message));
      const gone = nextEvent(client, 'disconnect', 'the server lets its clients go when it stops');
      await client.emitWithAck('subscribe', { topic: 'news' });
      const messages = [...Array(50).keys()];
      await Promise.all(messages.map((message) => server.publish('news', message)));
      await server.stop();
      await gone;
      expect(received).toEqual(messages);
    },
  );

  it.each(transports)(
    'a server that stops acknowledges over %s every message that it has published',
    async (transport) => {
      const data = await temporaryDirectory();
      const rules = [{ match: '**', create: 'publish' }] as const;
      const { url, server } = await startServer({ data, rules });
      const client = await connectClient(url, transport);
      const gone = nextEvent(client, 'disconnect', 'the server lets its clients go when it stops');
      const acknowledged: number[] = [];
      await new Promise<void>((resolve) => {
        for (const message of Array(5_000).keys())
          client.emit('publish', { topic: 'news', message }, ({ ok }: { readonly ok: boolean }) => {
            if (ok) acknowledged.push(message);
            resolve();
          });
      });
      await server.stop();
      await gone;
      const { url: again } = await startServer({ data, rules });
      const published: unknown[] = [];
      for (let more = '?from=earliest'; more !== '';) {
        const page = await readPage(again, 'news', `${more}&limit=1000`);
        published.push(...page.messages.map(({ message }) => message));
        more = page.more ? `?from=${page.next}` : '';
      }
      expect(published).toEqual(acknowledged);
    },
  );

  it('a server that stops responds to every publish of one connection that it has published', async () => {
    const data = await temporaryDirectory();
    const rules = [{ match: '**', create: 'publish' }] as const;
    const { url, server } = await startServer({ data, rules });
    const { socket, ended } = connectRaw(url);
    const head = 'POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length';
    const bodies = Array.from({ length: 1_000 }, (_, message) => JSON.stringify({ topic: 'news', message }));
    socket.write(bodies.map((body) => `${head}: ${body.length}\r\n\r\n${body}`).join(''));
    await within(soonMs, 'the server begins to answer', once(socket, 'data'));
    await server.stop();
    const answers = await ended;
    const { url: again } = await startServer({ data, rules });
    const { messages } = await readPage(again, 'news', '?from=earliest&limit=1000');
    expect(answers.split('Message published').length - 1).toBe(messages.length);
  });

  it('a server that stops refuses a client that publishes without a pause, and closes its connection', async () => {
    const { url, server } = await startServer();
    const { socket, ended } = connectRaw(url);
    const body = '{"topic":"news","message":1}';
    const request = `POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    socket.on('data', () => socket.write(request));
    socket.write(request);
    await nextEvent(socket, 'data', 'the server answers the first publish');
    await server.stop();
    const answers = (await ended).split(/(?=HTTP\/1\.1)/);
    expect(answers.at(-1)).toContain('"code":"draining"');
    expect(answers.at(-1)?.toLowerCase()).toContain('connection: close');
  });

  it('a server that stops refuses a publish that becomes complete only then, and closes its connection', async () => {
    const { url, server } = await startServer();
    const { socket, ended } = connectRaw(url);
    const body = '{"topic":"news","message":1}';
    socket.write(
      `POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
    );
    await nextEvent(socket, 'data', 'the server answers the first request');
    const stopped = server.stop();
    socket.write(body);
    const answer = await ended;
    expect(answer).toContain('503 Service Unavailable');
    expect(answer).toContain('"code":"draining"');
    expect(answer.toLowerCase()).toContain('connection: close');
    await stopped;
  });

  it('a server that stops does not respond to a new stream, so that an EventSource reconnects', async () => {
    const { url, server } = await startServer();
    const { socket, ended } = connectRaw(url);
    socket.write('GET /topics/*/messages HTTP/1.1\r\nHost: x\r\n');
    await publish(url, { topic: 'news', message: 1 });
    const stopped = server.stop();
    socket.write('Accept: text/event-stream\r\n\r\n');
    expect(await ended).toBe('');
    await stopped;
  });

  it('a publish whose head becomes complete after the server stopped accepting connections is refused with `draining`', async () => {
    const { url, server } = await startServer();
    const { socket, ended } = connectRaw(url);
    const body = '{"topic":"news","message":1}';
    socket.write('POST /publish HTTP/1.1\r\nHost: x\r\n');
    await publish(url, { topic: 'news', message: 1 });
    const stopped = server.stop();
    const isRefused = (): Promise<boolean> =>
      fetch(url).then(
        () => false,
        () => true,
      );
    await expect.poll(isRefused).toBe(true);
    socket.write(`Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(await ended).toContain('"code":"draining"');
    await stopped;
  });

  it('a server that stops does not wait for ever for a request that never becomes complete', async () => {
    const { url, server } = await startServer();
    const { socket, ended } = connectRaw(url);
    socket.write('POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n');
    await nextEvent(socket, 'data', 'the server answers the first request');
    await server.stop();
    expect(await ended).toContain('HTTP/1.1 100 Continue');
  });

  it('a server that stops says so in `GET /readyz` first, and serves publishes and new clients until its notice is over', async () => {
    const { url, server } = await startServer({ stopNoticeMs: 4_000 });
    const stopped = server.stop();
    const ready = await fetch(`${url}/readyz`, { headers: { connection: 'close' } });
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { checks: { running: { ok: false, reason: 'The server is shutting down.' } } },
    ]);
    const client = await connectClient(url);
    const gone = nextEvent(client, 'disconnect', 'the server lets its clients go when the notice is over');
    expect(await client.emitWithAck('subscribe', { topic: 'news' })).toMatchObject({ ok: true });
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(200);
    expect(await gone).toMatch(/^transport (close|error)$/);
    await stopped;
  });

  it('a stop waits for an incomplete request as long as `drainTimeoutMs` says', async () => {
    const [patient, hasty] = [
      await startServer({ drainTimeoutMs: 3_600_000 }),
      await startServer({ drainTimeoutMs: 0 }),
    ];
    const head = 'POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    const body = '{"topic":"news","message":1}';
    const begin = async (url: string): Promise<ReturnType<typeof connectRaw>> => {
      const connection = connectRaw(url);
      connection.socket.write(`${head}Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`);
      await nextEvent(connection.socket, 'data', 'the server answers the first request');
      return connection;
    };
    const [waited, cut] = [await begin(patient.url), await begin(hasty.url)];
    let hasStopped = false;
    const stopped = patient.server.stop().then(() => (hasStopped = true));
    await hasty.server.stop();
    expect(await cut.ended).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    expect(hasStopped).toBe(false);
    waited.socket.write(body);
    expect(await waited.ended).toContain('"code":"draining"');
    await stopped;
  });

  it('a server that waits for its data directory starts once the other has stopped, and ends at once if it is stopped before', async () => {
    const data = await temporaryDirectory();
    const notices: string[] = [];
    let wake = (): void => {};
    const logger = {
      ...strictLogger,
      warn: (_fields: object, message: string): void => {
        notices.push(message);
        wake();
      },
    };
    const first = await startServer({ data });
    const waiting = { port: 0, data, logger, waitForData: 3_600_000 };
    const [second, third] = [createServer(waiting), createServer(waiting)];
    const [started, never] = [second.start(), third.start()];
    onTestFinished(() => second.stop());
    await until('both wait', () => notices.length === 2, {
      step: () => new Promise<void>((resolve) => (wake = resolve)),
    });
    expect(notices[0]).toMatch(
      /is in use by another server \(process .*\)\. This server waits for up to 3600 s/,
    );
    await Promise.all([expect(never).rejects.toThrow('stopped before it had started'), third.stop()]);
    await expect(createServer({ port: 0, data }).start()).rejects.toThrow('let this one wait for it');
    await expect(createServer({ port: 0, data, logger, waitForData: 1 }).start()).rejects.toThrow(
      'is in use',
    );
    await first.server.stop();
    expect((await fetch(`${await started}/readyz`)).status).toBe(200);
  });

  it('a server can be stopped twice, and before it was started', async () => {
    const { server } = await startServer();
    await server.stop();
    await expect(server.stop()).resolves.toBeUndefined();
    await expect(createServer({ port: 0 }).stop()).resolves.toBeUndefined();
  });
});

describe('a server that a program embeds', () => {
  it('an embedding program publishes by the same rules as every client', async () => {
    const { url, server } = await startServer();
    await expect(server.publish('news', 1)).rejects.toThrow(FanfareError);
    const client = await connectClient(url);
    const message = nextEvent(client, 'news', 'the subscriber gets the message');
    await client.emitWithAck('subscribe', { topic: 'news' });
    expect(await server.publish('news', { a: 1 }, { id: 'x' })).toMatchObject({ ok: true, id: 'x' });
    expect(await server.publish('news', { a: 1 }, { id: 'x' })).toMatchObject({ duplicate: true });
    expect(await message).toEqual({ message: { a: 1 } });
    await expect(server.publish('*', 1)).rejects.toMatchObject({ code: 'topic_name_invalid' });
  });

  it('two servers in the same process have separate topics', async () => {
    const [first, second] = [await startServer(), await startServer()];
    await (await connectClient(first.url)).emitWithAck('subscribe', { topic: 'news' });
    expect((await publish(first.url, { topic: 'news', message: 1 })).status).toBe(200);
    expect((await publish(second.url, { topic: 'news', message: 1 })).status).toBe(404);
  });

  it('a server rejects wrong settings and names every one of them', () => {
    const settings: object = { port: -1, topicsMax: 'many', hots: 'x', host: '0.0.0.0' };
    const make = (): unknown => createServer(settings);
    expect(make).toThrow(SettingsError);
    for (const name of ['port', 'topicsMax', 'hots', 'open']) expect(make).toThrow(name);
  });

  it('a subscribe to any valid topic is accepted, however small the limit for messages is', async () => {
    const { url } = await startServer({ publishBytesMax: 1 });
    const client = await connectClient(url);
    expect(await client.emitWithAck('subscribe', { topic: 'a'.repeat(255) })).toMatchObject({ ok: true });
  });
});
