import { createServer as createHttpServer } from 'node:http';
import { attach, createServer, type AttachOptions, type Fanfare } from '@fanfare/server';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { PublishHandler } from '../../src/http/publish-handler.ts';
import { secret, tokenFor } from '../access/tokens.ts';
import { strictLogger } from '../harness.ts';
import { inputsOf } from '../hostile/fuzz.ts';
import { hide, InsideLog, prototypes } from '../insides/broken.ts';
import { converse, converseOverTcp, type Answered } from './conversation.ts';
import { requests, topics, type SentRequest, type Tokens } from './requests.ts';

type Change = (handle: PublishHandler) => PublishHandler;

/** How the next servers answer publishes, and what became of the requests that their handlers got. */
const ways = vi.hoisted(() => ({
  change: undefined as Change | undefined,
  handled: 0,
  declined: 0,
  givenBack: 0,
  cachedHeads: 0,
}));

vi.mock(import('../../src/http/publish-handler.ts'), async (original) => {
  const { publishHandler, ...others } = await original();
  return {
    ...others,
    publishHandler: (options) => {
      const handle = publishHandler({
        ...options,
        otherwise: (request, response) => {
          ways.givenBack++;
          options.otherwise(request, response);
        },
      });
      return ways.change?.(handle) ?? handle;
    },
  };
});

/** All requests go to Fastify. */
const without: Change = () => () => false;

const counted: Change = (handle) => (request, response) => {
  const isHandled = handle(request, response);
  if (isHandled) ways.handled++;
  else ways.declined++;
  response.once('finish', () => {
    // Only a head that was cached has the body too.
    if (!String(Reflect.get(response, '_header')).endsWith('\r\n\r\n')) ways.cachedHeads++;
  });
  return isHandled;
};

/** `npm test` sends the same requests each time. FANFARE_SEED sends others, FANFARE_FUZZ sends more. */
const seed = Number(process.env['FANFARE_SEED'] ?? 1);

/** The time by the clock of all servers. */
const time = Date.now();

let tokens: Tokens;

beforeAll(async () => {
  // Batches yield when they have taken long. Then the order of events would be random.
  vi.spyOn(performance, 'now').mockReturnValue(0);
  // In each second, the heads of responses are made anew.
  vi.spyOn(Date, 'now').mockReturnValue(time);
  const bearer = async (claims: Parameters<typeof tokenFor>[0]): Promise<string> =>
    `Bearer ${await tokenFor(claims)}`;
  const publish = ['**'];
  const good = await bearer({ publish });
  tokens = {
    good,
    limited: await bearer({ publish: ['orders/*'] }),
    expired: await bearer({ publish, iat: -100, exp: -10 }),
  };
});

beforeEach(() =>
  Object.assign(ways, { change: undefined, handled: 0, declined: 0, givenBack: 0, cachedHeads: 0 }),
);

interface Kind {
  /** Whether the identity of a client is never known at once. */
  readonly isAlwaysFastify?: boolean;
  readonly options: () => AttachOptions;
  readonly tokens: () => Tokens | undefined;
}

const origins = 'https://named.example';

const kinds: Readonly<Record<string, Kind>> = {
  'an open server': { options: () => ({}), tokens: () => undefined },
  'a server with named origins, for other machines': {
    options: () => ({ open: true, origins }),
    tokens: () => undefined,
  },
  'a server with a key, behind a proxy': {
    options: () => ({ key: secret, origins, trustProxy: '127.0.0.1' }),
    tokens: () => tokens,
  },
  'a server with limits of rates': {
    options: () => ({ publishRatePerConnectionMax: 2, trustProxy: '127.0.0.1' }),
    tokens: () => undefined,
  },
  'the login of an app': {
    isAlwaysFastify: true,
    options: () => ({
      identify: ({ headers: { authorization } }) =>
        authorization === tokens.good ? { sub: 'ann', publish: ['**'], subscribe: [] } : null,
    }),
    tokens: () => tokens,
  },
};

const common = { memory: true, publishBytesMax: 2_000, logger: strictLogger, now: () => time };

type Side = (sent: readonly SentRequest[]) => Promise<Answered & { readonly published: number }>;

/** A Fanfare in memory, attached to an HTTP server that does not listen. */
async function attached(options: AttachOptions, change?: Change): Promise<Side> {
  ways.change = change;
  const server = createHttpServer((_request, response) => response.end('the app'));
  const fanfare = await attach(server, { ...common, http: 'topics', ...options });
  onTestFinished(() => fanfare.stop());
  for (const topic of topics) await fanfare.declare(topic);
  // Tokens that were verified before are known at once.
  for (const token of [tokens.good, tokens.limited]) await converse(server, [publishOf(token)]);
  return (sent) => counting(fanfare, () => converse(server, sent));
}

/** A server that listens on a free port. */
async function listening(change: Change): Promise<Side> {
  ways.change = change;
  const server = createServer({ ...common, port: 0, key: secret, origins });
  const url = await server.start();
  onTestFinished(() => server.stop());
  for (const topic of topics) await server.declare(topic);
  return (sent) => counting(server, () => converseOverTcp(url, sent));
}

/** Adds the number of messages that were published during a conversation. */
async function counting(
  { stats }: Pick<Fanfare, 'stats'>,
  converses: () => Promise<Answered>,
): Promise<Answered & { readonly published: number }> {
  const before = (await stats()).publishes;
  const answered = await converses();
  return { ...answered, published: (await stats()).publishes - before };
}

function publishOf(token: string): SentRequest {
  const head = ['POST /publish HTTP/1.1', 'Host: localhost', `Authorization: ${token}`, 'Content-Length: 0'];
  return { bytes: Buffer.from(`${head.join('\r\n')}\r\n\r\n`), cuts: [], isPipelined: false, isWhole: true };
}

/** Sends the same requests to both, and expects the same answers. */
async function expectSame(one: Side, other: Side, sent: readonly SentRequest[]): Promise<void> {
  const [answer, expected] = await Promise.all([one(sent), other(sent)]);
  expect(answer).toEqual(expected);
}

/** For any number of conversations. */
const timeout = 24 * 3_600_000;

describe('publishes with and without Fastify', { timeout }, () => {
  it.each(Object.keys(kinds))(
    'random publishes get the same bytes with and without Fastify: %s',
    async (kind) => {
      const { options, tokens: tokensOf, isAlwaysFastify } = kinds[kind] as Kind;
      const one = await attached(options(), counted);
      const other = await attached(options(), without);
      await fc.assert(
        fc.asyncProperty(requests(tokensOf()), (sent) => expectSame(one, other, sent)),
        { seed, numRuns: inputsOf(400) },
      );
      expect(ways.declined).toBeGreaterThan(100);
      expect(ways.handled > 100).toBe(isAlwaysFastify !== true);
      expect(ways.givenBack > 10).toBe(isAlwaysFastify !== true);
      expect(ways.cachedHeads > 10).toBe(isAlwaysFastify !== true);
    },
  );

  it('random publishes get the same bytes with and without Fastify if heads cannot be cached', async () => {
    hide(prototypes.response, '_header');
    const logs = [new InsideLog(), new InsideLog()] as const;
    const one = await attached({ logger: logs[0] }, counted);
    const other = await attached({ logger: logs[1] }, without);
    await fc.assert(
      fc.asyncProperty(requests(undefined), (sent) => expectSame(one, other, sent)),
      { seed, numRuns: inputsOf(100) },
    );
    expect(ways.handled).toBeGreaterThan(20);
    expect(ways.cachedHeads).toBe(0);
    for (const log of logs) log.expectOnly("Node's text of the head of a response");
  });

  it('random publishes over TCP get the same bytes with and without Fastify', async () => {
    const one = await listening(counted);
    const other = await listening(without);
    const whole = requests(tokens).filter((sent) => sent.every(({ isWhole }) => isWhole));
    await fc.assert(
      fc.asyncProperty(whole, (sent) => expectSame(one, other, sent)),
      { seed, numRuns: inputsOf(60) },
    );
    expect(ways.handled).toBeGreaterThan(20);
    expect(ways.declined).toBeGreaterThan(20);
    expect(ways.cachedHeads).toBeGreaterThan(0);
  });

  const changes: Readonly<Record<string, Change>> = {
    'one more header': (handle) => (request, response) => {
      const isHandled = handle(request, response);
      if (isHandled) response.setHeader('x-different', '1');
      return isHandled;
    },
    'another status for one refusal': (handle) => (request, response) => {
      const isHandled = handle(request, response);
      const writeHead = response.writeHead.bind(response);
      if (isHandled)
        response.writeHead = (status: number, ...rest: unknown[]) =>
          writeHead(status === 404 ? 400 : status, ...(rest as []));
      return isHandled;
    },
    'a body that is not given back': (handle) => (request, response) => {
      request.unshift = () => {};
      return handle(request, response);
    },
    'a check that is left out': (handle) => (request, response) => {
      delete request.headers.origin;
      return handle(request, response);
    },
  };

  it.each(Object.keys(changes))('the comparison detects %s', async (name) => {
    const one = await attached({}, changes[name]);
    const other = await attached({}, without);
    const found = await fc.check(
      fc.asyncProperty(requests(undefined), (sent) => expectSame(one, other, sent)),
      { seed, numRuns: 400, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  });
});
