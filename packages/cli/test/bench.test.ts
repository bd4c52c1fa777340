import { createServer } from 'node:http';
import { Server } from 'socket.io';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, startListening, until, within } from '../../../test/waits.ts';
import { messageBytesMin, readMessage, writeMessage } from '../src/bench/bench-message.ts';
import { NumberSet } from '../src/bench/number-set.ts';
import { fanfare, fanfarePath, outcome, Program, startServer } from './harness.ts';
import { startLabServer } from './lab-servers.ts';
import { inTerminal } from './terminal.ts';

/** A program takes seconds to start on a busy machine. */
const programMs = 3 * soonMs;

interface Latencies {
  readonly count: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

interface Figures {
  readonly acknowledged: Latencies;
  readonly delivered: Readonly<Record<string, Latencies>>;
  readonly lost: number;
  readonly repeated: number;
  readonly altered: number;
  readonly refused: number;
  readonly unknown: number;
  readonly unsent: number;
  readonly reconnects: number;
}

function bench(url: string, ...args: string[]): Program {
  return fanfare('bench', url, '--duration', '1s', ...args);
}

async function measure(url: string, ...args: string[]): Promise<{ code: number; stderr: string } & Figures> {
  const { code, stdout, stderr } = await outcome(bench(url, '--json', ...args));
  // How busy the machine is decides whether it says this.
  const notes = stderr.replace(/^This process was busy .*\n/m, '');
  return { code, stderr: notes, ...(JSON.parse(stdout) as Figures) };
}

const faultless = { lost: 0, repeated: 0, altered: 0, refused: 0, unknown: 0, reconnects: 0 };

/** A server of the lab whose deliveries and responses have faults. */
async function startFaulty(fault: {
  /** How often message n of all is delivered. */
  readonly times?: (n: number) => number;
  /** How long the server waits before it responds to message n. */
  readonly waitMs?: (n: number) => number;
  readonly status?: number;
}): Promise<string> {
  let published = 0;
  const http = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      const n = published++;
      const { topic, message } = JSON.parse(body) as { topic: string; message: string };
      for (let time = 0; time < (fault.times?.(n) ?? 1); time++) io.emit(topic, { message });
      const answer = (): void => void response.writeHead(fault.status ?? 200).end('done');
      setTimeout(answer, fault.waitMs?.(n) ?? 0).unref();
    });
  });
  const io = new Server(http);
  onTestFinished(() => io.close());
  return `http://localhost:${await startListening(http)}`;
}

describe('fanfare bench', () => {
  it('with a rate, each message is due once, and each subscriber of its topic gets it', async () => {
    const { url } = await startServer();
    const flags = ['--subscribers', '8', '--topics', '2', '--transports', 'websocket,polling'];
    const figures = await measure(url, '--rate', '100', '--publishers', '4', ...flags);
    expect(figures).toMatchObject({ code: 0, ...faultless });
    const { acknowledged, delivered, unsent } = figures;
    expect(acknowledged.count + unsent).toBe(100);
    // Four subscribers have each topic, two over each transport.
    for (const transport of ['websocket', 'polling'])
      expect(delivered[transport]?.count).toBe(2 * acknowledged.count);
    const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = acknowledged;
    expect([p50Ms, p90Ms, p99Ms, p999Ms, maxMs].toSorted((a, b) => a - b)).toEqual([
      p50Ms,
      p90Ms,
      p99Ms,
      p999Ms,
      maxMs,
    ]);
    expect(p50Ms).toBeGreaterThan(0);
  });

  it.each(['nothing', 'never', 'a text'] as const)(
    'without a rate, it measures a server of the lab that acknowledges a subscribe with %s',
    async (acknowledgement) => {
      const { url } = await startLabServer(acknowledgement);
      const figures = await measure(url, '--subscribers', '3', '--publishers', '2');
      expect(figures).toMatchObject({ code: 0, stderr: '', unsent: 0, ...faultless });
      expect(figures.acknowledged.count).toBeGreaterThan(0);
      expect(figures.delivered['websocket']?.count).toBe(3 * figures.acknowledged.count);
    },
  );

  it('lost and repeated messages are counted for each subscriber', async () => {
    const url = await startFaulty({ times: (n) => (n % 10 === 3 ? 0 : n % 10 === 7 ? 3 : 1) });
    const { acknowledged, ...figures } = await measure(url, '--rate', '50', '--subscribers', '4');
    const tens = [...Array(acknowledged.count).keys()].map((n) => n % 10);
    expect(figures).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Messages were lost, repeated or altered.\n') as string,
      lost: 4 * tens.filter((n) => n === 3).length,
      repeated: 4 * 2 * tens.filter((n) => n === 7).length,
    });
    expect(figures.lost).toBeGreaterThan(0);
  });

  it('with a rate, messages that are due while the server stalls have the latency of the stall', async () => {
    // Half of the messages are due while the first one has no response.
    const url = await startFaulty({ waitMs: (n) => (n === 0 ? 500 : 0) });
    const { acknowledged, unsent } = await measure(url, '--rate', '100', '--publishers', '1');
    expect(acknowledged.count + unsent).toBe(100);
    expect(acknowledged.maxMs).toBeGreaterThan(490);
    // If latencies counted from the sending, only one of a hundred would have waited.
    expect(acknowledged.p90Ms).toBeGreaterThan(200);
  });

  it('messages for which no publisher was free in time are counted and not sent', async () => {
    const url = await startFaulty({ waitMs: () => 400 });
    const { code, acknowledged, unsent, stderr } = await measure(url, '--rate', '100');
    expect([code, acknowledged.count + unsent]).toEqual([0, 100]);
    expect(unsent).toBeGreaterThan(90);
    expect(stderr).toContain(`${unsent} messages were due and never sent`);
  });

  it('after Ctrl-C it prints what it has measured, and deletes its topics', async () => {
    const { url } = await startServer();
    const program = fanfare('bench', url, '--duration', '1h', '--rate', '50', '--json');
    const topics = async (): Promise<{ topic: string; published: number }[]> => {
      const response = await fetch(`${url}/topics`);
      return ((await response.json()) as { topics: { topic: string; published: number }[] }).topics;
    };
    await until('messages are published', async () => ((await topics())[0]?.published ?? 0) > 10, {
      ms: programMs,
    });
    expect((await topics())[0]?.topic).toMatch(/^fanfare-bench\/[\da-f]{12}\/0$/);
    program.process.kill('SIGINT');
    const { code, stdout } = await outcome(program);
    expect(code).toBe(130);
    const figures = JSON.parse(stdout) as Figures;
    expect(figures).toMatchObject(faultless);
    expect(figures.acknowledged.count).toBeGreaterThan(10);
    expect(figures.delivered['websocket']?.count).toBe(10 * figures.acknowledged.count);
    expect(await topics()).toEqual([]);
  });

  it('after Ctrl-C it does not wait for a server that does not respond', async () => {
    let keepsBack = (): void => {};
    const keptBack = new Promise<void>((resolve) => (keepsBack = resolve));
    const waitMs = (n: number): number => {
      if (n < 3) return 0;
      keepsBack();
      return 3_600_000;
    };
    const program = fanfare('bench', await startFaulty({ waitMs }), '--duration', '1h', '--json');
    await within(programMs, 'the server keeps a response back', keptBack);
    program.process.kill('SIGINT');
    const { code, stdout } = await outcome(program);
    expect([code, JSON.parse(stdout)]).toMatchObject([130, { acknowledged: { count: 3 }, unknown: 1 }]);
  });

  it('with a token that is not of an admin, it works and says that its topics stay', async () => {
    const key = 'a secret that is long enough for HS256, which needs 32 bytes';
    const { url } = await startServer(0, { key });
    const rights = ['--publish', 'fanfare-bench/**', '--subscribe', 'fanfare-bench/**'];
    const { stdout } = await outcome(fanfare('token', 'mint', 'ann', '--key', key, ...rights));
    const { code, stderr } = await measure(url, '--rate', '20', '--token', stdout.trim());
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^The topics fanfare-bench\/\w+\/… stay on the server: only an admin can delete them\.\n$/,
      ),
    ]);
    const refused = await outcome(bench(url));
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('The server needs a token: pass one with --token-file') as string,
    });
  });

  it('failed publishes are counted, and the first reason is printed', async () => {
    const url = await startFaulty({ status: 503, times: () => 0 });
    const { code, stderr, refused, acknowledged } = await measure(url, '--rate', '20');
    expect([code, acknowledged.count]).toEqual([1, 0]);
    expect(refused).toBeGreaterThan(0);
    expect(stderr).toContain('Publishes failed, the first one with: done\n');
  });

  it('a server that is not there ends it with exit code 3', async () => {
    const { code, stdout, stderr } = await outcome(bench('http://localhost:1'));
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toContain('Cannot reach http://localhost:1');
  });

  it.each([
    [['--size', '8'], 'It must be 32 to 1048576 bytes.'],
    [['--topics', '11'], 'Too few --subscribers'],
    [['--rate', '0'], 'It must be a whole number greater than 0.'],
    [['--transports', 'sse'], 'It must be one of: websocket, polling'],
    [['--duration', '10'], 'such as 30s'],
  ])('wrong usage is refused: %s', async (args, reason) => {
    const { code, stderr } = await outcome(fanfare('bench', 'http://localhost:1', ...args));
    expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });

  it('more connections than the process can open are refused before the first one', async () => {
    const line = `ulimit -n 300; exec '${process.execPath}' '${fanfarePath}' bench --subscribers 300`;
    expect(await outcome(new Program('bash', ['-c', line]))).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'The limit of 300 open files is too low for 301 connections. Raise it to 365 or more (`ulimit -n`).\n',
    });
  });

  it('in a terminal it shows its progress, and then a table', async () => {
    const { url } = await startServer();
    const terminal = inTerminal(`bench ${url} --duration 2s --rate 50`, { width: 100 });
    const screen = (): string => terminal.screen.join('\n');
    await expect.poll(screen).toMatch(/of 2 s: acknowledged \d+\/s, delivered \d+\/s/);
    expect(await terminal.exitCode()).toBe(0);
    expect(screen()).toMatch(
      /COUNT {2}PER SECOND +P50 MS +P90 MS +P99 MS +P99.9 MS +MAX MS\nacknowledged +\d+/,
    );
    expect(screen()).toContain('lost: 0, repeated: 0');
  });
});

describe('the counting of the benchmark', () => {
  it('a message has its number and time back, and the length that was asked for', () => {
    const messages = fc.record({ number: fc.nat(), dueMs: fc.nat(1_000_000_000).map((us) => us / 1_000) });
    fc.assert(
      fc.property(messages, fc.integer({ min: messageBytesMin, max: 300 }), (message, bytes) => {
        const text = writeMessage(message, bytes);
        expect([text.length, readMessage(text, bytes)]).toEqual([bytes, message]);
        expect(readMessage(text.slice(0, -1), bytes)).toBeUndefined();
      }),
    );
  });

  it('a set of numbers is like any other set', () => {
    const lists = fc.array(fc.nat(20_000), { maxLength: 300 });
    fc.assert(
      fc.property(lists, lists, (first, second) => {
        const [one, other] = [new NumberSet(), new NumberSet()];
        const seen = new Set<number>();
        for (const number of first) {
          expect(one.add(number)).toBe(!seen.has(number));
          seen.add(number);
        }
        for (const number of second) other.add(number);
        const missing = [...seen].filter((number) => !second.includes(number));
        expect([one.size, one.countMissingFrom(other)]).toEqual([seen.size, missing.length]);
      }),
    );
  });
});
