import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  FanfareError,
  isPattern,
  matches,
  parseFrom,
  parseId,
  parseInterest,
  parseSubscribe,
  parseTopic,
  parseUnsubscribe,
  type Topic,
} from '@fanfare/protocol';
import { attach, type AttachOptions, type Fanfare } from '@fanfare/server';
import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startListening } from '../../../../test/waits.ts';
import { Access } from '../../src/access/access.ts';
import { LiveIdentities } from '../../src/access/live-identities.ts';
import { Revocations } from '../../src/access/revocations.ts';
import { RevocationsInMemory } from '../access/revocations-in-memory.ts';
import { openVerifier } from '../../src/access/verifier-factory.ts';
import { defaultRule } from '../../src/config/rules.ts';
import { SingleNode } from '../../src/nodes/cluster.ts';
import { Rules } from '../../src/rules/rule.ts';
import { noKeys, secret } from '../access/tokens.ts';
import { connectClient } from '../harness.ts';
import { heapBytes } from '../heap.ts';
import { fuzz, inputsOf, seedOf, type Target } from './fuzz.ts';
import { GoodClient } from './good-client.ts';
import { httpConversation, httpConversationWith, request, type Conversation } from './inputs/http.ts';
import { textFrame } from './inputs/packets.ts';
import { anyRequestText, anyValue, topicName } from './inputs/requests.ts';
import {
  conversationsOf,
  inputsIn,
  openSession,
  session,
  sidIn,
  socketConversation,
  socketConversationWith,
  type Session,
} from './inputs/sockets.ts';
import { masterToken, token } from './inputs/tokens.ts';
import { ProbedServer } from './probed-server.ts';
import { fuzzOverSockets } from './socket-fuzz.ts';
import { converse } from './virtual-connection.ts';

/** The number of inputs of each kind: 80,000 in this process, and 2,000 over real sockets. */
const usual = {
  requests: 20_000,
  packets: 8_000,
  tokens: 8_000,
  publishes: 8_000,
  HTTP: 8_000,
  websockets: 20_000,
  sessions: 4_000,
  'HTTP with tokens': 2_000,
  'websockets with tokens': 2_000,
} as const;
const overSockets = { 'without a key': 1_200, 'with a key': 800 } as const;

const timeout = 24 * 3_600_000;

async function expectNoFault<Input>(
  what: keyof typeof usual,
  inputs: Arbitrary<Input>,
  target: Target<Input>,
): Promise<void> {
  const total = inputsOf(usual[what]);
  const report = await fuzz(inputs, target, { inputs: total, seed: seedOf(what), heapBytes });
  expect(report.faults).toEqual([]);
  expect(report.inputs).toBeGreaterThanOrEqual(total);
}

/** Hostile input must get a refusal; any other exception is a fault. */
function refusing(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof FanfareError)) throw error;
  }
}

function untouched(): string | undefined {
  return Object.keys(Object.prototype).length > 0 || 'x' in {}
    ? 'Object.prototype has been written to'
    : undefined;
}

it('the fuzzer feeds as many inputs as it reports', () => {
  const sum = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((one, other) => one + other, 0);
  expect([sum(usual), sum(overSockets)]).toEqual([80_000, 2_000]);
});

describe('input of every parser', { timeout }, () => {
  it('random text as a topic, a pattern or a request is accepted or refused', async () => {
    const parsers = [parseTopic, parseInterest, parseId, parseFrom, parseSubscribe, parseUnsubscribe];
    await expectNoFault('requests', fc.tuple(topicName, topicName, anyValue), {
      feed: ([one, other, value]) => {
        for (const input of [one, value]) for (const parse of parsers) refusing(() => parse(input));
        refusing(() => {
          const interest = parseInterest(one);
          isPattern(interest);
          matches(interest, other as Topic);
        });
      },
      complaint: async () => untouched(),
    });
  });

  it('random text as a token is accepted or refused', async () => {
    const keys = { ...noKeys, key: secret };
    const verifier = openVerifier(keys, {
      now: Date.now,
      monotonicMs: () => 0,
      onFailure: () => {},
      onWarning: () => {},
    });
    const liveIdentities = new LiveIdentities(Date.now);
    const revocations = new Revocations({
      store: new RevocationsInMemory(),
      cluster: new SingleNode(),
      liveIdentities,
      tokenLifetimeMsMax: undefined,
      now: Date.now,
    });
    const rules = new Rules([], defaultRule);
    const access = new Access({ verifier, rules, revocations, liveIdentities, now: Date.now });
    const codes = new Set(['not_authenticated', 'token_expired']);
    await expectNoFault('tokens', token, {
      feed: async (text) => {
        try {
          const rights = access.known(text) ?? (await access.authenticate(text));
          rights.identity.subject?.at(0);
        } catch (error) {
          if (!(error instanceof FanfareError) || !codes.has(error.code)) throw error;
        }
      },
      complaint: async () => {
        const { identity } = await access.authenticate(masterToken);
        return identity.isAdmin ? untouched() : 'a good token has lost its rights';
      },
    });
  });
});

/** Collects errors in the log, and warnings that are not about clients: they would fail a test. */
class FailureLog {
  readonly failures: string[] = [];
  #clientFaults = 0;
  readonly error = (fields: object, message: string): void =>
    void this.failures.push(`${message} ${fc.stringify(fields)}`);
  readonly warn = (fields: object, message: string): void => {
    if ('client' in fields && ++this.#clientFaults <= 1_001) return;
    this.error(fields, message);
  };
}

/** The options of a server: limits so low that stored messages do not look like a leak. */
const settings = {
  memory: true,
  memoryBytesMax: 1_048_576,
  topicsMax: 500,
  idWindowMs: 1_000,
  rules: [{ match: '**', keep: { count: 10 } }],
} as const;

interface InProcess {
  readonly http: Server;
  readonly fanfare: Fanfare;
  readonly good: GoodClient;
  readonly complaint: () => Promise<string | undefined>;
}

/**
 * A server whose conversations use connections within this process, without the kernel. Only the good client
 * uses a real socket.
 */
async function startInProcess(options: AttachOptions = {}): Promise<InProcess> {
  const http = createServer((_request, response) => response.writeHead(404).end());
  const log = new FailureLog();
  const fanfare = await attach(http, { ...settings, ...options, http: 'all', logger: log });
  await startListening(http);
  onTestFinished(async () => {
    await fanfare.stop();
    http.close();
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const client = await connectClient(url, 'websocket', { auth: { token: masterToken } });
  const good = await GoodClient.of(url, client, { authorization: `Bearer ${masterToken}` });
  const complaint = async (): Promise<string | undefined> =>
    log.failures.length > 0
      ? `the server logged: ${log.failures[0]}`
      : ((await good.complaint()) ?? untouched());
  return { http, fanfare, good, complaint };
}

/** The number of inputs for each publish of the good client. */
const goodEvery = 50;

function serving<Input>(
  { good, complaint }: InProcess,
  feed: (input: Input) => Promise<number | void>,
): Target<Input> {
  let fed = 0;
  return {
    feed: async (input) => {
      if (++fed % goodEvery === 0) await good.publish();
      return feed(input);
    },
    complaint,
  };
}

function conversing(parts: InProcess): Target<Conversation> {
  return serving(parts, async (pieces) => inputsIn(pieces, (await converse(parts.http, pieces)).taken));
}

describe('input over a connection', { timeout }, () => {
  it('random HTTP bytes never crash the server or delay other clients', async () => {
    await expectNoFault('HTTP', httpConversation, conversing(await startInProcess()));
  });

  it('random websocket frames never crash the server or delay other clients', async () => {
    await expectNoFault('websockets', socketConversation, conversing(await startInProcess()));
  });

  it('random session packets in any order never crash the server or delay other clients', async () => {
    const parts = await startInProcess();
    const target = serving<Session>(parts, async (input) => {
      const sid = sidIn((await converse(parts.http, [openSession])).text) ?? 'none';
      for (const pieces of conversationsOf(input, sid)) await converse(parts.http, pieces);
      await converse(parts.http, [
        request('POST', `/socket.io/?EIO=4&transport=polling&sid=${sid}`, Buffer.from('1')),
      ]);
      return input.steps.length;
    });
    await expectNoFault('sessions', session, target);
  });

  it('a random publish of any kind is accepted or refused', async () => {
    const parts = await startInProcess();
    const inputs = fc.tuple(fc.oneof(topicName, anyRequestText), anyValue);
    const target = serving<[string, unknown]>(parts, async ([topic, message]) => {
      await parts.fanfare.publish(topic, message).catch((error: unknown) => {
        if (!(error instanceof FanfareError)) throw error;
      });
    });
    await expectNoFault('publishes', inputs, target);
  });

  it('random tokens never crash the server or delay other clients', async () => {
    await expectNoFault(
      'HTTP with tokens',
      httpWithTokens,
      conversing(await startInProcess({ key: secret })),
    );
    await expectNoFault(
      'websockets with tokens',
      socketsWithTokens,
      conversing(await startInProcess({ key: secret })),
    );
  });
});

const httpWithTokens = httpConversationWith(
  token.map((text) => [`Authorization: Bearer ${text.replaceAll(/[\r\n]/g, '')}`]),
);
const socketsWithTokens = socketConversationWith(
  token.map((text) => textFrame(`40${JSON.stringify({ token: text })}`)),
);

describe('a real server', { timeout }, () => {
  const flags = [
    ...'--memory --memory-bytes-max 1048576 --topics-max 500 --id-window-ms 1000 --rules'.split(' '),
    JSON.stringify(settings.rules),
  ];

  it.each([
    ['without a key', [], fc.oneof(httpConversation, socketConversation)],
    ['with a key', ['--key', secret], fc.oneof(httpWithTokens, socketsWithTokens)],
  ] as const)(
    '%s survives random input over real sockets, and serves its clients meanwhile',
    async (kind, more, conversation) => {
      const seed = seedOf(`sockets ${kind}`);
      const server = await ProbedServer.fanfare([...flags, ...more]);
      const client = await connectClient(server.url, 'websocket', { auth: { token: masterToken } });
      const headers = { authorization: `Bearer ${masterToken}` };
      const { complaint } = await GoodClient.of(server.url, client, headers);
      const inputs = inputsOf(overSockets[kind]);
      const report = await fuzzOverSockets(server, { inputs, seed, conversation, complaint });
      expect(report.faults).toEqual([]);
      expect(report.inputs).toBeGreaterThanOrEqual(inputs);
    },
  );
});
