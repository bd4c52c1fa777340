import { createServer, type RequestListener, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { attach } from '@fanfare/server';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { secret } from '../access/tokens.ts';
import { heapBytes } from '../heap.ts';
import { fuzz, type Fuzzed, type Target } from './fuzz.ts';
import { httpConversation, httpConversationWith, type Conversation } from './inputs/http.ts';
import { requestText } from './inputs/requests.ts';
import { conversationsOf, openSession, session, sidIn, socketConversation } from './inputs/sockets.ts';
import { token } from './inputs/tokens.ts';
import { ProbedServer } from './probed-server.ts';
import { fuzzOverSockets } from './socket-fuzz.ts';
import { holdLoop } from './thread-time.mjs';
import { converse } from './virtual-connection.ts';

const shortText = fc.string({ maxLength: 20 });

async function faultsOf(
  feed: Target<string>['feed'],
  complaint = async (): Promise<string | undefined> => undefined,
): Promise<string> {
  const report: Fuzzed = await fuzz(shortText, { feed, complaint }, { inputs: 3_000, seed: 1, heapBytes });
  return report.faults.join('\n');
}

/** Whether a text is one of the few that trigger a fault. */
const isRare = (input: string): boolean => input.length === 7;

describe('the fuzzer finds', () => {
  it('the fuzzer finds nothing in code without faults', async () => {
    expect(await faultsOf(() => {})).toBe('');
    expect(await faultsOf(async () => {})).toBe('');
  });

  it('the fuzzer finds an unhandled rejection', async () => {
    const faults = await faultsOf(async (input) => {
      if (isRare(input)) void Promise.reject(new Error('nobody cares'));
      await new Promise((resolve) => void setImmediate(resolve));
    });
    expect(faults).toContain('nobody cares');
  });

  it('the fuzzer finds an uncaught exception', async () => {
    const faults = await faultsOf(async (input) => {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
        if (isRare(input)) process.nextTick(() => void JSON.parse('{'));
      });
    });
    expect(faults).toContain('SyntaxError');
  });

  it('the fuzzer finds an input that blocks the event loop, in its own turn and in a later one', async () => {
    expect(await faultsOf((input) => void (isRare(input) && holdLoop(120)))).toContain(
      'the event loop was held',
    );
    const later = async (input: string): Promise<void> => {
      await new Promise((resolve) => void setImmediate(resolve));
      if (isRare(input)) holdLoop(120);
    };
    expect(await faultsOf(later)).toContain('the event loop was held');
  });

  it('the fuzzer finds a memory leak', async () => {
    const kept: object[] = [];
    const faults = await faultsOf(
      (input) => void kept.push({ input, room: Array.from({ length: 1_000 }, () => input) }),
    );
    expect(faults).toContain('the heap grew');
  });

  it('the fuzzer finds that clients are not served any more', async () => {
    let isServing = true;
    const faults = await faultsOf(
      (input) => {
        if (isRare(input)) isServing = false;
      },
      async () => (isServing ? undefined : 'nobody is served'),
    );
    expect(faults).toContain('nobody is served, after batch 0');
  });

  it('the fuzzer finds a parser that writes to Object.prototype, never ends, or throws something other than a refusal', async () => {
    const merge = (target: Record<string, unknown>, source: object): void => {
      for (const [name, value] of Object.entries(source)) {
        if (typeof value === 'object' && value !== null)
          merge((target[name] ??= {}) as Record<string, unknown>, value as object);
        else target[name] = value;
      }
    };
    const polluted = async (): Promise<string | undefined> => {
      const names = Object.keys(Object.prototype);
      for (const name of names) delete (Object.prototype as Record<string, unknown>)[name];
      return names.length > 0 ? `${names.length} names were written to Object.prototype` : undefined;
    };
    const target: Target<string> = {
      feed: (json) => {
        try {
          merge({}, JSON.parse(json) as object);
        } catch {
          // Inputs that cannot be merged do not matter here.
        }
      },
      complaint: polluted,
    };
    const report = await fuzz(requestText, target, { inputs: 20_000, seed: 1, heapBytes });
    expect(report.faults.join()).toContain('written to Object.prototype');
  });
});

/** The faults that the fuzzer finds in an HTTP server. */
async function faultsOfServer(answer: RequestListener): Promise<string> {
  const server: Server = createServer(answer);
  const target: Target<Conversation> = {
    feed: async (pieces) => (await converse(server, pieces)).taken,
    complaint: async () => undefined,
  };
  const report = await fuzz(httpConversation, target, { inputs: 5_000, seed: 1, heapBytes });
  return report.faults.join('\n');
}

describe('the fuzzer finds an HTTP server in this process that', () => {
  it('the fuzzer finds nothing in an HTTP server without faults', async () => {
    expect(await faultsOfServer((_request, response) => response.end())).toBe('');
  });

  it('the fuzzer finds an HTTP server that fails on a request', async () => {
    const faults = await faultsOfServer((request, response) => {
      decodeURIComponent(request.url ?? '');
      response.end();
    });
    expect(faults).toContain('URIError');
  });

  it('the fuzzer finds an HTTP server that leaves a rejection unhandled', async () => {
    const faults = await faultsOfServer((request, response) => {
      const chunks: Buffer[] = [];
      const answer = async (): Promise<void> => {
        response.end(typeof JSON.parse(Buffer.concat(chunks).toString()));
      };
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => void answer());
    });
    expect(faults).toContain('SyntaxError');
  });

  it('the fuzzer finds an HTTP server whose time grows faster than its input', async () => {
    const faults = await faultsOfServer((request, response) => {
      /^(a+)+$/.test(request.headers['x-long']?.slice(0, 26) + '!');
      response.end();
    });
    expect(faults).toContain('the event loop was held');
  });

  it('the fuzzer finds an HTTP server that keeps every request', async () => {
    const asked: object[] = [];
    const faults = await faultsOfServer((request, response) => {
      asked.push({ headers: request.headers, room: Array.from({ length: 1_000 }, () => request.url) });
      response.end();
    });
    expect(faults).toContain('the heap grew');
  });
});

const badServer = fileURLToPath(new URL('bad-server.mjs', import.meta.url));

describe('the fuzzer over real sockets', () => {
  it.each([
    ['none', undefined],
    ['crash', 'the server ended'],
    ['reject', 'nobody cares'],
    ['slow', 'the event loop was held'],
    ['leak', 'the heap grew'],
    ['deaf', 'nobody is served'],
  ])('the fuzzer finds this fault of a server over real sockets: %s', async (kind, fault) => {
    const server = await ProbedServer.start(badServer, [kind]);
    const complaint = async (): Promise<string | undefined> =>
      (await fetch(`${server.url}/good`)).ok ? undefined : 'nobody is served';
    const report = await fuzzOverSockets(server, {
      inputs: 1_000,
      seed: 1,
      conversation: httpConversation,
      complaint,
    });
    if (fault === undefined) expect(report.faults).toEqual([]);
    else expect(report.faults.join('\n')).toContain(fault);
  });
});

describe('generated input', () => {
  const counts = async (
    options: { readonly key?: string },
    inputs: fc.Arbitrary<Conversation>,
    whats: readonly RegExp[],
  ): Promise<readonly number[]> => {
    const http = createServer((_request, response) => response.writeHead(404).end());
    const fanfare = await attach(http, { memory: true, http: 'all', logger: silent, ...options });
    onTestFinished(() => fanfare.stop());
    const texts: string[] = [];
    for (const pieces of fc.sample(inputs, { numRuns: 1_000, seed: 1 }))
      texts.push((await converse(http, pieces)).text);
    return whats.map((what) => texts.filter((text) => what.test(text)).length);
  };

  it.each([
    ['commands', {}, socketConversation, [/\{"ok":true,/, /"bad_request"/, /"topic_name_invalid"/]],
    ['requests', {}, httpConversation, [200, 201, 204, 400, 404, 405, 413, 415].map(status)],
    [
      'requests with tokens',
      { key: secret },
      httpConversationWith(token.map((text) => [`Authorization: Bearer ${text}`])),
      [200, 401, 404].map(status),
    ],
  ])(
    'generated input is accepted often enough, and gets each kind of response: %s',
    async (_what, options, inputs, whats) => {
      const had = await counts(options, inputs, whats);
      expect(
        had.filter((count) => count < 3),
        had.join(),
      ).toEqual([]);
    },
  );

  it('a generated conversation uses a valid session in each of its steps', async () => {
    const http = createServer((_request, response) => response.writeHead(404).end());
    const fanfare = await attach(http, { memory: true, logger: silent });
    onTestFinished(() => fanfare.stop());
    let known = 0;
    for (const input of fc.sample(session, { numRuns: 100, seed: 1 })) {
      const sid = sidIn((await converse(http, [openSession])).text) ?? 'none';
      for (const pieces of conversationsOf(input, sid)) {
        const answer = await converse(http, pieces);
        if (/ 200 OK| 101 Switching/.test(answer.text)) known++;
      }
    }
    expect(known).toBeGreaterThan(50);
  });
});

function status(code: number): RegExp {
  return new RegExp(`HTTP/1.1 ${code}`);
}

const silent = { warn: () => {}, error: () => {} };
