import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { TopicInfo } from '@fanfare/protocol';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../../test/waits.ts';
import { fixedLimits } from '../../src/limits/fixed-limits.ts';
import { packetBudget } from '../../src/socketio/packet-budget.ts';
import { onlyOver } from '../ends/only-over.ts';
import { connectClient, publish, startServer, transports, type RunningServer } from '../harness.ts';
import { topicUrl } from '../http-tools.ts';
import { connectDeaf, connectTo, frame, text } from '../hostile/deaf-clients.ts';
import { handshake } from '../hostile/inputs/sockets.ts';
import { connectRawClient, RawPolling, RawWebSocket, separator } from '../hostile/wire.ts';
import { hide, hideParser, InsideLog, prototypes, replace, takesBodyOfOffer } from './broken.ts';

onlyOver('socket.io');

/*
 * Whole servers, each with something that a library has for itself under another name: the limit that was made of it holds by public
 * functions, the log has one line, and clients are served.
 */

const { receiver, engine, connection, polling, webSocketTransport, httpServer, request, stream } = prototypes;

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

const numbers = Array.from({ length: 1_000 }, (_, number) => number);
const publishPacket = (number: number): string =>
  `42${number}["publish",{"topic":"numbers","message":${number}}]`;

async function publishedSoFar(url: string): Promise<number> {
  const response = await fetch(topicUrl(url, 'numbers'), { headers: { connection: 'close' } });
  return response.ok ? ((await response.json()) as TopicInfo).published : 0;
}

async function ended(socket: Socket): Promise<void> {
  if (!socket.destroyed) await nextEvent(socket, 'close', 'the connection is closed');
}

describe.each(['_messageLength', '_bufferedBytes', '_fragments'])(
  'a server whose ws has another name for %s',
  (field) => {
    const leftBytes = 1_000_000;

    beforeEach(() => {
      hide(receiver, field);
      const others = fixedLimits.packetsArrivingBytesMax.value - leftBytes;
      expect(packetBudget.take(others)).toBe(true);
      onTestFinished(() => void packetBudget.take(-others));
    });

    function hasRoomFor(bytes: number): boolean {
      const isThere = packetBudget.take(bytes);
      if (isThere) packetBudget.take(-bytes);
      return isThere;
    }

    /** A publish of which all but the end has come. */
    async function begin(url: string): Promise<Socket> {
      const socket = await connectDeaf(url);
      const packet = `42["publish",{"topic":"news","message":"${'x'.repeat(900_000)}"}]`;
      const length = Buffer.alloc(8);
      length.writeBigUInt64BE(BigInt(packet.length));
      const head = Buffer.concat([Buffer.from([0x81, 0xff]), length, Buffer.alloc(4)]);
      socket.write(Buffer.concat([head, Buffer.from(packet.slice(0, -2))]));
      return socket;
    }

    it('bounds messages that have come in part by the bytes of their TCP connections', async () => {
      const { url, log } = await start();
      const good = await connectClient(url);
      const first = await begin(url);
      await expect.poll(() => hasRoomFor(leftBytes / 2)).toBe(false);
      const second = await begin(url);
      second.resume();
      await ended(second);
      expect(await good.emitWithAck('publish', { topic: 'news', message: 'x'.repeat(50_000) })).toMatchObject(
        { ok: true },
      );
      expect(first.destroyed).toBe(false);
      first.write('"]');
      await expect.poll(() => hasRoomFor(leftBytes)).toBe(true);
      await expectToServe(url);
      log.expectOnly("ws's buffers for incomplete messages");
    });

    it('ends a client that sends more than 64 frames before login, and none that sends as many later', async () => {
      const { url } = await start();
      const socket = connectTo(url, Buffer.concat([handshake, ...Array<Buffer>(65).fill(frame(0x9, ''))]));
      await ended(socket.resume());
      const good = await connectClient(url);
      for (let at = 0; at < 100; at++)
        expect(await good.emitWithAck('publish', { topic: 'news', message: at })).toMatchObject({ ok: true });
    });

    it('ends a client whose message comes in more than 512 fragments', async () => {
      const { url } = await start();
      const socket = await connectDeaf(url);
      const [first, more] = [frame(0x1, 'x'), frame(0x0, 'x')];
      for (const one of [first, more]) one[0] = (one[0] ?? 0) & 0x7f;
      socket.resume().write(Buffer.concat([first, ...Array<Buffer>(600).fill(more)]));
      await expect(ended(socket)).resolves.toBeUndefined();
    });
  },
);

describe('a server whose ws has another name for _allowSynchronousEvents', () => {
  /** How many messages ws tells in a turn of the event loop, at the most, when a client sends very many. */
  async function mostInOneTurn(url: string): Promise<number> {
    let [most, inThisTurn] = [0, 0];
    replace<(done: unknown) => void>(
      receiver,
      'dataMessage',
      (tell) =>
        function (done) {
          if (inThisTurn++ === 0) setImmediate(() => (inThisTurn = 0));
          most = Math.max(most, inThisTurn);
          tell.call(this, done);
        },
    );
    const socket = await connectDeaf(url);
    socket.resume().write(Buffer.concat(numbers.map((number) => text(publishPacket(number)))));
    await expect.poll(() => publishedSoFar(url)).toBe(numbers.length);
    return most;
  }

  it('takes one packet of a websocket in each turn of the event loop', async () => {
    hide(receiver, '_allowSynchronousEvents');
    const { url, log } = await start();
    expect(await mostInOneTurn(url)).toBeLessThanOrEqual(2);
    await expectToServe(url);
    log.expectOnly("The pace of ws's receiver");
  });

  it('else takes many: the measure would tell', async () => {
    const { url } = await start();
    expect(await mostInOneTurn(url)).toBeGreaterThan(100);
  });
});

describe('a server whose engine.io has another name for its write buffer', () => {
  it('holds up a client that polls by what engine.io tells of its packets', async () => {
    hide(connection, 'writeBuffer');
    const { url, log } = await start();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const requests = Array.from({ length: 15_000 }, (_, number) => publishPacket(number));
    const taken = client.send(...requests);
    await expect.poll(() => publishedSoFar(url)).toBeGreaterThanOrEqual(10_000);
    const answers: number[] = [];
    await until('all answers come', () => answers.length >= requests.length, {
      step: async () => {
        const packet = await client.next();
        if (packet !== '2') answers.push(Number.parseInt(packet.slice(2), 10));
      },
      soFar: () => `${answers.length} answers`,
      ms: 60_000,
    });
    await taken;
    expect(answers).toEqual([...requests.keys()]);
    await expectToServe(url);
    expect(log.lines.map(({ inside }) => inside)).toEqual([
      "engine.io's write buffer",
      "engine.io's way to give packets to a poll",
    ]);
  });

  it('sends its clients what waits for them before it stops', async () => {
    hide(connection, 'writeBuffer');
    const { url, server } = await start();
    const client = await connectClient(url, 'polling');
    const answers: unknown[] = [];
    for (const message of numbers)
      client.emit('publish', { topic: 'numbers', message }, (answer: unknown) => answers.push(answer));
    await expect.poll(() => publishedSoFar(url)).toBe(numbers.length);
    await server.stop();
    await expect.poll(() => answers.length).toBe(numbers.length);
  });
});

describe("a server whose engine.io takes a request's packets under another name", () => {
  beforeEach(() => hide(polling, 'onData'));

  it('ends a client that polls when 10,000 of its packets are not answered', async () => {
    const { url, log } = await start();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    await client.post(Array.from({ length: 15_000 }, (_, number) => publishPacket(number)).join(separator));
    await client.ended();
    expect(await publishedSoFar(url)).toBeLessThanOrEqual(10_000);
    await expectToServe(url);
    log.expectOnly("engine.io's way to take the packets of a request");
  });

  it('bounds what requests bring by the length that they declare', async () => {
    const { url } = await start();
    const client = await RawPolling.open(url);
    await connectRawClient(client);
    const path = client.url.slice(new URL(url).origin.length);
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\n`;
    const chunked = connectTo(url, `${head}Transfer-Encoding: chunked\r\n\r\n1\r\n6\r\n0\r\n\r\n`);
    const [unknown] = (await within(
      soonMs,
      'a request of unknown length is answered',
      once(chunked, 'data'),
    )) as [Buffer];
    expect(unknown.toString()).toMatch(/^HTTP\/1.1 411 /);
    const large = connectTo(url, `${head}Content-Length: 9000000\r\n\r\n6`);
    const [tooLarge] = (await within(
      soonMs,
      'a request that declares too much is answered',
      once(large, 'data'),
    )) as [Buffer];
    expect(tooLarge.toString()).toMatch(/^HTTP\/1.1 413 /);
    const all = fixedLimits.packetsArrivingBytesMax.value;
    expect(packetBudget.take(all)).toBe(true);
    expect((await client.post('6'.repeat(100_000))).status).toBe(503);
    packetBudget.take(-all);
    expect((await client.post('6')).status).toBe(200);
    // What was answered takes no room any more.
    await expect.poll(() => packetBudget.take(all)).toBe(true);
    packetBudget.take(-all);
  });
});

it('a server whose engine.io has another name for the limit of a request bounds it before login by its length', async () => {
  hide(polling, 'maxHttpBufferSize');
  const { url, log } = await start();
  const client = await RawPolling.open(url);
  const large = `42["nothing","${'x'.repeat(20_000)}"]`;
  expect((await client.post(large)).status).toBe(413);
  await connectRawClient(client);
  expect((await client.post(large)).status).toBe(200);
  await expectToServe(url);
  log.expectOnly("engine.io's limit for the bytes of a request");
});

describe('a server whose engine.io ends a polling session under another name', () => {
  const comeAgain = async (url: string): Promise<number> => {
    const client = await RawPolling.open(url);
    await client.post('no packet');
    await client.ended();
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, {
      headers: { connection: 'close' },
    });
    await response.text();
    return response.status;
  };

  it('counts sessions that have ended as long as engine.io keeps them', async () => {
    hide(polling, 'shouldClose');
    const { url, log } = await start({ connectionsMax: 1 });
    expect(await comeAgain(url)).toBe(403);
    // The last packets of a session are split by it, too.
    expect(log.lines.map(({ inside }) => inside)).toEqual([
      "engine.io's way to give packets to a poll",
      "engine.io's way to end a polling session",
    ]);
  });

  it('else counts them no more', async () => {
    const { url } = await start({ connectionsMax: 1 });
    expect(await comeAgain(url)).toBe(200);
  });
});

describe('a server whose engine.io has another name for its websockets', () => {
  beforeEach(() => hide(webSocketTransport, 'socket'));

  it('ends a client that sends without end and reads nothing', async () => {
    const { url, log } = await start();
    const socket = await connectDeaf(url);
    const piece = Buffer.concat(Array<Buffer>(1_000).fill(text('42["nothing"]')));
    const pump = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', pump);
    pump();
    await ended(socket);
    await expectToServe(url);
    log.expectOnly("engine.io's way to its websockets");
  });

  it('ends a websocket that is not let in in time, and none that was', async () => {
    const { url } = await start({ loginTimeoutMs: 200 });
    const good = await connectClient(url);
    for (let at = 0; at < 3; at++) await (await RawWebSocket.open(url)).ended();
    expect(await good.emitWithAck('publish', { topic: 'news', message: 1 })).toMatchObject({ ok: true });
  });

  it('ends a websocket that sends too much before it is let in', async () => {
    const { url } = await start({ loginTimeoutMs: 600_000 });
    const client = await RawWebSocket.open(url);
    await client.send(`42["nothing","${'x'.repeat(20_000)}"]`);
    await expect(client.ended()).resolves.toBeUndefined();
  });
});

it('a server whose engine.io has other ways in checks the origin of each request of a session', async () => {
  hide(engine, 'handleRequest');
  const origin = 'https://app.example';
  const { url, log } = await start({ origins: origin });
  const { url: session } = await RawPolling.open(url);
  const post = async (from: string): Promise<number> => {
    const response = await fetch(session, {
      method: 'POST',
      body: '40',
      headers: { origin: from, connection: 'close' },
    });
    return response.status;
  };
  expect([await post('https://evil.example'), await post(origin)]).toEqual([403, 200]);
  await expectToServe(url);
  log.expectOnly("engine.io's way from the HTTP server to its sessions");
});

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
