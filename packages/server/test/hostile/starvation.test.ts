import { describe, expect, it } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../../test/waits.ts';
import { secret } from '../access/tokens.ts';
import { connectClient, publish } from '../harness.ts';
import { topicUrl } from '../http-tools.ts';
import { Random } from '../faults/random.ts';
import { connectDeaf, connectTo, text } from './deaf-clients.ts';
import { seedOf } from './fuzz.ts';
import { GoodClient } from './good-client.ts';
import { masterToken } from './inputs/tokens.ts';
import { ProbedServer } from './probed-server.ts';
import { connectRawClient, RawPolling, RawWebSocket } from './wire.ts';

const mebibyte = 2 ** 20;

/**
 * The limit for one turn of the event loop, in milliseconds of processor time. Each turn is under 50 on a
 * fast processor. A slower one, and other programs that use its caches, take longer.
 */
const heldMsMax = 150;

const token = JSON.stringify({ token: masterToken });
const auth = { authorization: `Bearer ${masterToken}` };

interface Attack {
  /** The topics and messages that exist before the attack. */
  readonly prepare?: (url: string) => Promise<unknown>;
  readonly run: (url: string) => Promise<unknown>;
}

async function fillTopic(url: string, topic: string, count: number, bytes: number): Promise<void> {
  const batch = Math.min(count, 5_000, Math.floor((15 * mebibyte) / (bytes + 100)));
  for (let at = 0; at < count; at += batch)
    await publish(
      url,
      Array.from({ length: batch }, () => ({ topic, message: 'x'.repeat(bytes) })),
      auth,
    );
}

async function makeTopics(url: string): Promise<void> {
  for (let first = 0; first < 100_000; first += 5_000) {
    const batch = Array.from({ length: 5_000 }, (_, at) => ({ topic: `many/${first + at}`, message: at }));
    const answer = await publish(url, batch, auth);
    expect(answer.text).not.toContain('"ok":false');
  }
}

async function subscribeThousand(url: string): Promise<void> {
  for (let at = 0; at < 1_000; at += 50)
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = await connectDeaf(url, token);
        socket.write(text('42["subscribe",{"topic":"flood"}]'));
        socket.resume();
      }),
    );
  await expect.poll(async () => subscribers(url, 'flood')).toBe(1_000);
}

async function subscribeToPatterns(url: string): Promise<void> {
  const random = new Random(seedOf('many patterns'));
  const client = await rawClient(url);
  for (let at = 0; at < 128; at++) {
    const segments = Array.from({ length: 120 }, () => random.pick(['a', '*']));
    await client.send(`42${at}["subscribe",{"topic":"${segments.join('/')}/**"}]`);
    expect(await client.next()).toContain('"ok":true');
  }
}

async function rawClient(url: string): Promise<RawWebSocket> {
  const client = await RawWebSocket.open(url);
  await connectRawClient(client, token);
  return client;
}

/** Sends packets, and waits for the acknowledgement of the last one. */
async function sendAll(client: RawWebSocket, packets: Iterable<string>): Promise<void> {
  for (const packet of packets) {
    client.socket.send(packet);
    if (client.socket.bufferedAmount > mebibyte) await new Promise((resolve) => setImmediate(resolve));
  }
  await client.send('42999["unsubscribe",{"topic":"nothing"}]');
  // Without a pause: there may be hundreds of thousands of packets before it.
  const step = async (): Promise<void> => {};
  await until('what was sent last is answered', async () => (await client.next()).startsWith('43999'), {
    step,
  });
}

/** Sends packets in such a way that the server reads as many as possible at once. */
async function sendAtOnce(url: string, count: number, packet: (at: number) => string): Promise<void> {
  const socket = await connectDeaf(url, token);
  const packets = [...times(count, packet), '42999["unsubscribe",{"topic":"nothing"}]'];
  const answered = new Promise<void>((resolve, reject) => {
    socket.once('close', () => reject(new Error('the server has ended the connection')));
    socket.on('data', (piece: Buffer) => {
      if (piece.includes('43999[')) resolve();
    });
  });
  const isAnswered = within(60_000, 'what was sent last is answered', answered);
  socket.resume().write(Buffer.concat(packets.map(text)));
  await isAnswered;
  socket.destroy();
}

async function pollingClient(url: string): Promise<RawPolling> {
  const client = await RawPolling.open(url);
  await connectRawClient(client, token);
  return client;
}

function* times(count: number, packet: (at: number) => string): Iterable<string> {
  for (let at = 0; at < count; at++) yield packet(at);
}

const json = (value: unknown): string => JSON.stringify(value);

async function get(url: string): Promise<void> {
  const response = await fetch(url, { headers: auth });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
}

const attacks: Readonly<Record<string, Attack>> = {
  'replay of a large topic, again and again': {
    prepare: async (url) => fillTopic(url, 'large', 20_000, 200),
    run: async (url) => {
      const client = await rawClient(url);
      await sendAll(
        client,
        times(20, () => `42["subscribe",{"topic":"large","envelope":true,"from":"earliest"}]`),
      );
      client.socket.terminate();
    },
  },
  'subscribing and leaving': {
    run: async (url) => {
      await sendAtOnce(url, 10_000, (at) => `42["${at % 2 ? 'un' : ''}subscribe",{"topic":"t${at % 1000}"}]`);
    },
  },
  'small packets that are refused': {
    run: async (url) => {
      await sendAtOnce(url, 20_000, () => '42["x"]');
    },
  },
  'small packets over many websockets': {
    run: async (url) =>
      Promise.all(Array.from({ length: 50 }, async () => sendAtOnce(url, 1_000, () => '42["x"]'))),
  },
  'small packets over many polling sessions': {
    run: async (url) => {
      const clients = await Promise.all(Array.from({ length: 100 }, async () => pollingClient(url)));
      const packets = [...times(2_000, () => '42["x"]'), '1'];
      await Promise.all(clients.map(async (client) => client.send(...packets)));
    },
  },
  'publishes over a websocket': {
    run: async (url) => {
      const client = await rawClient(url);
      await sendAll(
        client,
        times(20_000, (at) => `42["publish",{"topic":"flood","message":${at}}]`),
      );
      client.socket.terminate();
    },
  },
  'pipelined publishes over HTTP': {
    run: async (url) => {
      const body = '{"topic":"flood","message":1}';
      const request = `POST /publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${auth.authorization}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      await pipeline(url, request, 5_000);
    },
  },
  'batches of the maximum size': {
    run: async (url) => {
      const body = json(
        Array.from({ length: 5_000 }, () => ({ topic: 'flood', message: 'x'.repeat(3_200) })),
      );
      for (let at = 0; at < 5; at++) expect((await publish(url, body, auth)).status).toBe(200);
    },
  },
  'NDJSON of the maximum size': {
    run: async (url) => {
      const body = Array.from({ length: 5_000 }, () =>
        json({ topic: 'flood', message: 'x'.repeat(3_200) }),
      ).join('\n');
      for (let at = 0; at < 5; at++)
        expect((await publish(url, body, { ...auth, 'content-type': 'application/x-ndjson' })).status).toBe(
          200,
        );
    },
  },
  'NDJSON of empty lines': {
    run: async (url) => {
      const type = { ...auth, 'content-type': 'application/x-ndjson' };
      expect((await publish(url, '\n'.repeat(16 * mebibyte), type)).status).toBe(200);
    },
  },
  'batches of the maximum number of messages': {
    run: async (url) => {
      const body = json(Array.from({ length: 5_000 }, (_, at) => ({ topic: 'flood', message: at })));
      for (let at = 0; at < 5; at++) expect((await publish(url, body, auth)).status).toBe(200);
    },
  },
  'batches whose messages are all refused': {
    run: async (url) => {
      const body = json(Array.from({ length: 5_000 }, () => ({ topic: '', message: 1 })));
      for (let at = 0; at < 5; at++) expect((await publish(url, body, auth)).status).toBe(200);
    },
  },
  'pages of the maximum size': {
    prepare: async (url) => fillTopic(url, 'large', 2_000, 4_100),
    run: async (url) => {
      for (let at = 0; at < 30; at++) await get(topicUrl(url, 'large', '/messages?limit=1000'));
    },
  },
  'pages of many messages': {
    prepare: async (url) => fillTopic(url, 'large', 20_000, 10),
    run: async (url) => {
      for (let at = 0; at < 50; at++) await get(topicUrl(url, 'large', '/messages?limit=1000'));
    },
  },
  'the list of topics, again and again': {
    prepare: makeTopics,
    run: async (url) => {
      for (let at = 0; at < 40; at++) await get(`${url}/topics?limit=1000`);
    },
  },
  'huge packets': {
    run: async (url) => {
      const client = await rawClient(url);
      const packet = `42["publish",{"topic":"flood","message":"${'x'.repeat(mebibyte - 100)}"}]`;
      await sendAll(
        client,
        times(20, () => packet),
      );
      client.socket.terminate();
    },
  },
  'packets that are too large': {
    run: async (url) => {
      for (let at = 0; at < 20; at++) {
        const client = await rawClient(url);
        await client.send('x'.repeat(3 * mebibyte));
        await client.ended();
      }
    },
  },
  'small frames': {
    run: async (url) => {
      const socket = await connectDeaf(url, token);
      socket.resume();
      const piece = Buffer.concat(Array.from({ length: 10_000 }, () => text('3')));
      for (let at = 0; at < 20 && !socket.destroyed; at++) {
        const written = new Promise<void>((resolve) => void socket.write(piece, () => resolve()));
        await within(soonMs, 'the server reads 10,000 frames', written);
      }
      socket.destroy();
    },
  },
  'a large message to a thousand subscribers': {
    prepare: subscribeThousand,
    run: async (url) => {
      for (let at = 0; at < 4; at++)
        expect((await publish(url, { topic: 'flood', message: 'x'.repeat(256 * 1_024) }, auth)).status).toBe(
          200,
        );
    },
  },
  'a batch of large messages to a thousand subscribers': {
    prepare: subscribeThousand,
    run: async (url) => {
      const batch = Array.from({ length: 12 }, () => ({ topic: 'flood', message: 'x'.repeat(128 * 1_024) }));
      expect((await publish(url, batch, auth)).text).not.toContain('"ok":false');
    },
  },
  'patterns from the beginning, over many topics': {
    prepare: makeTopics,
    run: async (url) => {
      const client = await rawClient(url);
      await sendAll(
        client,
        times(2, () => `42["subscribe",{"topic":"many/*","from":"earliest"}]`),
      );
      client.socket.terminate();
    },
  },
  'the maximum of patterns, and a batch for all of them': {
    prepare: subscribeToPatterns,
    run: async (url) => {
      const topic = 'a/'.repeat(120);
      const batch = Array.from({ length: 5_000 }, (_, at) => ({ topic: `${topic}${at}`, message: at }));
      expect((await publish(url, batch, auth)).text).not.toContain('"ok":false');
    },
  },
  'wrong tokens': {
    run: async (url) => {
      const [head = '', claims = ''] = masterToken.split('.');
      const request = `GET /topics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${head}.${claims}.${'A'.repeat(43)}\r\n\r\n`;
      await pipeline(url, request, 5_000);
    },
  },
  'handshakes of sessions': {
    run: async (url) =>
      pipeline(url, 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n', 5_000),
  },
  'requests that are refused': {
    run: async (url) =>
      pipeline(
        url,
        `POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: ${auth.authorization}\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{`,
        5_000,
      ),
  },
  'requests without a host': { run: async (url) => pipeline(url, 'GET / HTTP/1.1\r\n\r\n', 10_000) },
  'requests with an unknown Expect header': {
    run: async (url) => pipeline(url, 'GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n', 5_000),
  },
  'bodies in chunks of one byte': {
    run: async (url) => {
      const head = `POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: ${auth.authorization}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
      for (let at = 0; at < 5; at++) {
        const socket = connectTo(url, `${head}${'1\r\n \r\n'.repeat(50_000)}`);
        socket.resume();
        await nextEvent(socket, 'close', 'the server closes the connection');
      }
    },
  },
  'connecting and disconnecting': {
    run: async (url) => {
      for (let at = 0; at < 1_000; at += 20)
        await Promise.all(Array.from({ length: 20 }, async () => (await connectDeaf(url, token)).destroy()));
    },
  },
};

async function subscribers(url: string, topic: string): Promise<number> {
  const response = await fetch(topicUrl(url, topic), { headers: auth });
  return ((await response.json()) as { subscribers?: number }).subscribers ?? 0;
}

/** Sends a request many times over one connection, and waits for all answers. */
async function pipeline(url: string, request: string, count: number): Promise<void> {
  const socket = connectTo(url, request.repeat(count));
  let answers = 0;
  let rest = '';
  const done = new Promise<void>((resolve) => {
    // The server may close a connection that pipelines handshakes.
    socket.on('error', () => {}).once('close', () => resolve());
    socket.setEncoding('latin1').on('data', (piece: string) => {
      const all = rest + piece;
      answers += all.split('HTTP/1.1 ').length - 1;
      rest = all.slice(-8);
      if (answers >= count) resolve();
    });
  });
  await within(60_000, `${count} requests are answered`, done, () => `${answers} answers`);
  socket.destroy();
}

describe('A15: one client that tries everything to delay the server', () => {
  it.each(Object.entries(attacks))('one hostile client delays no other client: %s', async (_what, attack) => {
    const { prepare, run } = attack;
    const rule = JSON.stringify([{ match: '**', create: 'publish' }]);
    const flags = ['--memory', '--key', secret, '--rules', rule, '--topics-max', '200000'];
    const server = await ProbedServer.fanfare(flags);
    const { url } = server;
    const client = await connectClient(url, 'websocket', { auth: { token: masterToken } });
    const good = await GoodClient.of(url, client, auth);
    await prepare?.(url);
    const held = await server.heldMs(async () => {
      let isOver = false;
      const isGoingOn = (): boolean => !isOver;
      const attacking = run(url).finally(() => (isOver = true));
      const serves = async (): Promise<void> => expect(await good.complaint()).toBeUndefined();
      await serves();
      await until('the attack is over', () => !isGoingOn(), { step: serves, ms: 90_000 });
      await attacking;
    }, heldMsMax);
    expect(held).toBeLessThan(heldMsMax);
    expect([server.isGone, server.failures]).toEqual([false, []]);
  });
});
