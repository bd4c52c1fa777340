import { once } from 'node:events';
import type { Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { nextEvent, soonMs, within } from '../../../../test/waits.ts';
import { connectClient, publish, startServer, transports, type RunningServer } from '../harness.ts';
import { connectTo } from '../hostile/deaf-clients.ts';
import { hide, hideParser, InsideLog, prototypes, takesBodyOfOffer } from './broken.ts';

/*
 * Whole servers, each with something that Node has for itself under another name: the limit that was made of it holds by public
 * functions, the log has one line, and clients are served.
 */

const { httpServer, request, response, stream } = prototypes;

interface Started extends RunningServer {
  readonly log: InsideLog;
}

async function start(options: object = {}): Promise<Started> {
  const log = new InsideLog();
  const rules = [{ match: '**', create: 'publish' as const }];
  return { log, ...(await startServer({ logger: log, rules, ...options })) };
}

/** Over every transport a client gets what another publishes. */
async function expectToServe(url: string): Promise<void> {
  for (const transport of transports) {
    const client = await connectClient(url, transport);
    const topic = `served over ${transport}`;
    expect(await client.emitWithAck('subscribe', { topic })).toMatchObject({ ok: true });
    const message = nextEvent(client, topic, 'the subscriber gets the message');
    expect(await client.emitWithAck('publish', { topic, message: 'yes' })).toMatchObject({ ok: true });
    expect(await message).toEqual({ message: 'yes' });
    client.close();
  }
}

async function ended(socket: Socket): Promise<void> {
  if (!socket.destroyed) await nextEvent(socket, 'close', 'the connection is closed');
}

describe('a server whose Node has another name for the answer that is due', () => {
  beforeEach(() => hide(stream, '_httpMessage'));

  const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`;

  it('answers pipelined requests in their order, and refuses too many', async () => {
    const { url, log } = await start();
    const pairs = `${ask('/')}\r\n${ask('/topics')}\r\n`.repeat(150);
    const socket = connectTo(url, `${pairs}${ask('/stats')}Connection: close\r\n\r\n`);
    let all = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (all += piece));
    await ended(socket);
    const answers = all.split('HTTP/1.1 ').slice(1);
    expect(answers).toHaveLength(301);
    const isRefused = (answer: string): boolean => /^429 [^]*"code":"limit_exceeded"/.test(answer);
    expect(answers.findIndex(isRefused)).toBeGreaterThanOrEqual(101);
    const pages = [/^200 OK[^]*Fanfare/, /^200 OK[^]*"topics":\[\]/] as const;
    answers.slice(0, -1).forEach((answer, at) => {
      if (!isRefused(answer)) expect(answer).toMatch(pages[at % 2 === 0 ? 0 : 1]);
    });
    await expectToServe(url);
    log.expectOnly("Node's order of answers on a connection");
  });

  it('goes on over a connection whose offer of an upgrade comes behind requests', async () => {
    const { url } = await start();
    const offer = `${ask('/identity')}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`;
    const socket = connectTo(url, `${ask('/identity')}\r\n`.repeat(40) + offer).setEncoding('latin1');
    let answers = '';
    socket.on('data', (piece: string) => (answers += piece));
    const answered = (): number => answers.split('HTTP/1.1 200').length - 1;
    await expect.poll(answered).toBe(41);
    socket.write(`${ask('/identity')}\r\n`);
    await expect.poll(answered).toBe(42);
  });
});

describe('a server whose Node parses requests in another way', () => {
  beforeEach(hideParser);

  const body = '{"topic":"numbers","message":0}';
  const post = `POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

  it('answers a hundred pipelined requests of one connection', async () => {
    const { url, log } = await start();
    const socket = connectTo(url, post.repeat(100));
    let answers = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (answers += piece));
    await expect.poll(() => answers.split('Message published').length - 1).toBe(100);
    await expectToServe(url);
    log.expectOnly("Node's parser of requests");
  });

  it('ends a connection with more than 102 unanswered requests', async () => {
    const { url } = await start();
    const socket = connectTo(url, 'GET / HTTP/1.1\r\nHost:a\r\n\r\n'.repeat(100_000)).pause();
    await ended(socket.resume());
    expect((await publish(url, { topic: 'news', message: 1 })).status).toBe(200);
  });
});

describe('a server whose Node has another name for its rule for upgrades', () => {
  beforeEach(() => hide(httpServer, 'shouldUpgradeCallback'));

  const offered = 'Host: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n';

  it('declines offers without a body as before', async () => {
    const { url, log } = await start();
    const socket = connectTo(url, `GET /identity HTTP/1.1\r\n${offered}\r\n`.repeat(3));
    let answers = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (answers += piece));
    await expect.poll(() => answers.split('HTTP/1.1 200').length - 1).toBe(3);
    await expectToServe(url);
    if (takesBodyOfOffer) log.expectOnly("Node's rule for offers of an upgrade");
    else expect(log.lines).toEqual([]);
  });

  it('refuses an offer with a body in words, where Node has taken that out of the connection', async () => {
    const { url } = await start();
    const type = 'Content-Type: application/json\r\n';
    const body = '{"topic":"news","message":1}';
    const socket = connectTo(
      url,
      `POST /publish HTTP/1.1\r\n${offered}${type}Content-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
    );
    socket.write(body.slice(9));
    const [answer] = (await within(soonMs, 'the offer of an upgrade is answered', once(socket, 'data'))) as [
      Buffer,
    ];
    expect(answer.toString()).toMatch(
      takesBodyOfOffer ? /^HTTP\/1.1 400 [^]*does not upgrade/ : /^HTTP\/1.1 200 /,
    );
  });
});

it('a server whose Node has another name for discarding a request refuses a body that is too large', async () => {
  hide(request, '_dump');
  const { url, log } = await start({ publishBytesMax: 100_000 });
  for (let at = 0; at < 3; at++)
    expect((await publish(url, { topic: 'news', message: 'x'.repeat(400_000) })).status).toBe(413);
  await expectToServe(url);
  log.expectOnly("Node's way to discard the rest of a request");
});

it('a server whose Node has another name for the head of a response answers publishes', async () => {
  hide(response, '_header');
  const { url, log } = await start();
  const body = '{"topic":"numbers","message":0}';
  const head = `POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  const socket = connectTo(url, '');
  let answers = '';
  socket.setEncoding('latin1').on('data', (piece: string) => (answers += piece));
  for (let count = 1; count <= 3; count++) {
    socket.write(`${head}\r\n\r\n${body}`);
    await expect
      .poll(() => answers.split("\r\n\r\nMessage published to topic 'numbers'").length - 1)
      .toBe(count);
  }
  await expectToServe(url);
  log.expectOnly("Node's text of the head of a response");
});
