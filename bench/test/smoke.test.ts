import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { soonMs, within } from '../../test/waits.ts';
import { pairs } from '../src/adapters/scenarios.ts';
import { root } from '../src/paths.ts';
import { Processes, type RunningServer } from '../src/processes.ts';
import { smoke } from '../src/smoke.ts';
import { systems } from '../src/systems/systems.ts';
import { ws } from '../src/systems/ws.ts';

function bench(...args: readonly string[]): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, ['bench/dist/main.js', ...args], { cwd: root, encoding: 'utf8' });
}

describe('npm run bench -- --smoke', () => {
  it('npm run bench -- --smoke checks that every system delivers what was published', () => {
    // adapters.test.ts has the others.
    const names = systems.map(({ name }) => name).filter((name) => !pairs.includes(name));
    const { stdout, stderr, status } = bench('--smoke', '--systems', names.join(','));
    const lines = stdout.trim().split('\n');
    expect(lines.filter((line) => !line.endsWith('delivered as published'))).toEqual([]);
    expect(lines.map((line) => line.replace(/: .*/, ''))).toEqual(names);
    expect(lines.slice(0, 3)).toEqual([
      'fanfare: window-1, window-64, topics-100, rate-10000, http-32, batches delivered as published',
      'fanfare-disk: window-1, window-64, topics-100, rate-10000, http-32, batches, replay, replay-live delivered as published',
      'fanfare-memory: batches, replay, replay-live delivered as published',
    ]);
    expect(lines.filter((line) => line.startsWith('fanfare-redis'))).toEqual([
      'fanfare-redis: window-1, window-64, topics-100, rate-10000, http-32, batches delivered as published',
      'fanfare-redis-kept: window-1, window-64, topics-100, rate-10000, http-32, batches, replay, replay-live delivered as published',
    ]);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });
});

type Send = (text: string) => void;

/**
 * Delivers like the server `ws`, but `deliver` may do something wrong with the nth delivery to a subscriber.
 */
async function startWrongServer(
  deliver: (nth: number, text: string, send: Send) => void,
): Promise<RunningServer> {
  const subscribers = new Map<string, Map<WebSocket, number>>();
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const { subscribe, publish, message } = JSON.parse(data.toString('utf8')) as Record<string, string>;
      if (subscribe !== undefined) {
        const counts = subscribers.get(subscribe) ?? new Map<WebSocket, number>();
        subscribers.set(subscribe, counts.set(socket, 0));
      }
      for (const [subscriber, count] of subscribers.get(publish ?? '') ?? []) {
        subscribers.get(publish ?? '')?.set(subscriber, count + 1);
        deliver(count, JSON.stringify({ topic: publish, message }), (text) => subscriber.send(text));
      }
      socket.send('{"ok":true}');
    });
  });
  http.listen(0, '127.0.0.1');
  await within(soonMs, 'the server of the test listens', once(http, 'listening'));
  const address = http.address();
  const stop = async (): Promise<void> => {
    for (const client of server.clients) client.terminate();
    http.close();
  };
  onTestFinished(stop);
  const death = async (): Promise<undefined> => undefined;
  return { pid: process.pid, port: typeof address === 'object' ? (address?.port ?? 0) : 0, death, stop };
}

describe('the smoke test of a system', () => {
  const processes = new Processes(undefined);
  afterAll(() => processes.close());

  const smokeWrong = (deliver: Parameters<typeof startWrongServer>[0]): Promise<readonly string[]> =>
    smoke({ ...ws, start: () => startWrongServer(deliver) }, processes);

  it('the smoke test passes if the system delivers everything correctly', async () => {
    await expect(smokeWrong((_nth, text, send) => send(text))).resolves.toHaveLength(4);
  });

  it('the smoke test fails if the system drops a delivery', async () => {
    const outcome = smokeWrong((nth, text, send) => nth === 50 || send(text));
    await expect(outcome).rejects.toThrow(
      /^window-1: Subscriber \d+ got message 51 of topic 'topic-0' when message 50 was due: that one was dropped/,
    );
  });

  it('the smoke test fails if the system repeats a delivery, even the last', async () => {
    const outcome = smokeWrong((nth, text, send) => {
      send(text);
      if (nth === 99) send(text);
    });
    await expect(outcome).rejects.toThrow(
      /^window-1: Subscriber \d+ got message 99 of topic 'topic-0' again\.$/,
    );
  });

  it('the smoke test fails if the system swaps two deliveries', async () => {
    let held = '';
    const outcome = smokeWrong((nth, text, send) => {
      if (nth === 10) held = text;
      else send(text);
      if (nth === 11) send(held);
    });
    await expect(outcome).rejects.toThrow(/got message 11 of topic 'topic-0' when message 10 was due/);
  });

  it('the smoke test fails if the system alters a delivery', async () => {
    const outcome = smokeWrong((nth, text, send) => send(nth === 20 ? text.replace('z', 'Z') : text));
    await expect(outcome).rejects.toThrow(/^window-1: Subscriber \d+ got message 20 altered: at byte \d+ "Z/);
  });
});

describe('the smoke test of a system with two nodes', () => {
  const processes = new Processes(undefined);
  afterAll(() => processes.close());

  /** How many messages are published with one publish in flight. Then 64 are. */
  const alone = 201;

  /** @param deliver - gets the number of messages that were published before, too */
  const smokeWrong = (
    deliver: (nth: number, text: string, send: Send, published: number) => void,
  ): Promise<readonly string[]> => {
    let published = -1;
    let last = '';
    const start = async (): Promise<RunningServer> => {
      const server = await startWrongServer((nth, text, send) => {
        if (text !== last) published++;
        last = text;
        deliver(nth, text, send, published);
      });
      const { port, pid } = server;
      return { ...server, besides: { redisPid: pid, publishers: { port, pid } } };
    };
    return smoke({ ...ws, isOnlyWhereNamed: true, start }, processes);
  };

  it('the smoke test of two nodes passes if everything is delivered correctly', async () => {
    const passing = smokeWrong((_nth, text, send) => send(text));
    await expect(passing).resolves.toEqual(['pair-window-1', 'pair-window-64']);
  });

  // With one publish in flight, a dropped delivery would stop the publisher until the time is over.
  it('the smoke test of two nodes fails if a delivery is dropped', async () => {
    const outcome = smokeWrong((_nth, text, send, published) => published === alone + 50 || send(text));
    await expect(outcome).rejects.toThrow(/^pair-window-64: .+ got message 51 .+ when message 50 was due/);
  });

  it('the smoke test of two nodes fails if a delivery is repeated, even the last', async () => {
    const outcome = smokeWrong((nth, text, send) => {
      send(text);
      if (nth === 199) send(text);
    });
    await expect(outcome).rejects.toThrow(/^pair-window-1: Subscriber \d+ got message 199 .+ again\.$/);
  });

  it('the smoke test of two nodes fails if two deliveries are swapped', async () => {
    const held = new Map<number, string>();
    const outcome = smokeWrong((nth, text, send, published) => {
      if (published === alone + 50) return void held.set(nth + 1, text);
      send(text);
      const earlier = held.get(nth);
      if (published === alone + 51 && earlier !== undefined) send(earlier);
    });
    await expect(outcome).rejects.toThrow(/^pair-window-64: .+ got message 51 .+ when message 50 was due/);
  });
});

describe('the command line of the benchmark', () => {
  it.each([
    [['--scenario', 'window-65'], "There is no scenario 'window-65'. There are: window-1, "],
    [['--systems', 'fanfare,kafka'], "There is no system 'kafka'. There are: fanfare, "],
    [['--rounds', '0'], "--rounds takes a whole number from 1, not '0'."],
    [['--smoke', '--rounds', '2'], '--smoke measures nothing'],
    [['--fast'], "Unknown option '--fast'"],
    [['window-1'], "Unexpected argument 'window-1'"],
  ])('the command line of the benchmark refuses the arguments %j, and says why', (args, sentence) => {
    const { stdout, stderr, status } = bench(...args);
    expect(stderr).toContain(sentence);
    expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
  });

  it('the command line of the benchmark lists scenarios and systems', () => {
    const { stdout, status } = bench('--list');
    expect(stdout).toMatch(/^window-1 +500 subscribers of one topic/);
    expect(stdout).toContain(`systems: ${systems.map(({ name }) => name).join(', ')}`);
    expect(status).toBe(0);
  });
});
