import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { io as connect, type Socket } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { nextEvent, soonMs, within } from '../waits.ts';
import { outcome, Program, temporaryDirectory, withoutLife } from '../../packages/cli/test/harness.ts';
import { tcpOf } from '../../packages/server/test/slow-reader.ts';

/** The programs that run in the tested installation. */
export const programs: string = fileURLToPath(new URL('programs', import.meta.url));

/** The tested environment: a version of Node, and the place of the packages. */
export interface Place {
  readonly node: string;
  /** The file of the command `fanfare`. */
  readonly fanfare: string;
  /** The folder of the programs. */
  readonly programs: string;
}

const ways = [['websocket'], ['polling'], ['polling', 'websocket']];

const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

/** Connects a client, which is closed when the test ends. */
async function enter(url: string, transports: string[] = ['websocket']): Promise<Socket> {
  const client = connect(url, { transports, reconnection: false, forceNew: true });
  onTestFinished(() => void client.disconnect());
  const connected = new Promise<void>((resolve, reject) => {
    client.once('connect', resolve);
    client.once('connect_error', reject);
  });
  await within(soonMs, `the client connects over ${transports.join(' and ')}`, connected);
  return client;
}

/** The time limit for events: a test may do much before the last one comes. */
const collectedMs = 90_000;

/** The arguments of a number of events. */
async function collect(client: Socket, event: string, count: number): Promise<unknown[][]> {
  const received: unknown[][] = [];
  const all = new Promise<unknown[][]>((resolve) => {
    client.on(event, (...args: unknown[]) => {
      if (received.push(args) === count) resolve(received);
    });
  });
  return within(collectedMs, `${count} events ${event} come`, all, () => received);
}

/** A missing environment fails in CI. Elsewhere the reason is shown, and the tests are skipped. */
export function missing(
  name: string,
  reason: string,
  isCi = process.env['CI'] === 'true',
  define: Pick<typeof test, 'skip'> & ((name: string, run: () => void) => void) = test,
): void {
  if (isCi) {
    define(name, () => {
      throw new Error(reason);
    });
  } else {
    console.warn(`Skipped: ${name}. ${reason}`);
    define.skip(`${name} (${reason})`);
  }
}

/** The first steps of users, with real processes. No process may print a warning. */
export function compatibility(name: string, place: Place): void {
  describe(name, () => {
    const start = (file: string, ...args: string[]): Program => new Program(place.node, [file, ...args]);
    const fanfare = (...args: string[]): Program => start(place.fanfare, ...args);

    /** Starts a server, and waits for its address. */
    const serve = async (program: Program): Promise<{ program: Program; url: string }> => {
      await program.says(/http:\/\/[^\s"]+/);
      const [url = ''] = /http:\/\/[^\s"]+/.exec(program.stdout) ?? [];
      return { program, url };
    };

    /** Ends a server with a signal while clients are connected. It has logged these lines, and no others. */
    const stop = async (program: Program, ...logged: readonly RegExp[]): Promise<void> => {
      program.process.kill('SIGTERM');
      expect(await program.exitCode).toBe(0);
      const lines = withoutLife(program.stderr).split('\n').slice(0, -1);
      expect(lines).toEqual(logged.map((line) => expect.stringMatching(line) as string));
    };

    test('a server serves, and its messages reach a subscriber, even one that comes after a restart', async () => {
      const data = ['--port', '0', '--data', join(temporaryDirectory(), 'data')];
      const first = await serve(fanfare('serve', ...data));
      for (const file of ['fanfare.js', 'console/console.js', 'console/console.css']) {
        expect((await (await fetch(`${first.url}/${file}`)).text()).length).toBeGreaterThan(1_000);
      }
      const subscriber = fanfare('sub', 'tea/*', '--count', '2', '--url', first.url);
      await subscriber.says('Subscribed', 'stderr');
      for (const cup of ['green', 'black']) {
        const publish = await outcome(fanfare('pub', `tea/${cup}`, cup, '--create', '--url', first.url));
        expect(publish).toMatchObject({ code: 0, stderr: `Message published to topic 'tea/${cup}'\n` });
      }
      expect(await outcome(subscriber)).toMatchObject({
        code: 0,
        stdout: 'tea/green\tgreen\ntea/black\tblack\n',
      });
      await stop(first.program);
      const second = await serve(fanfare('serve', ...data));
      const late = await outcome(
        fanfare('sub', 'tea/*', '--from', 'earliest', '--count', '2', '--url', second.url),
      );
      expect(late).toMatchObject({ code: 0, stdout: 'tea/green\tgreen\ntea/black\tblack\n' });
      await stop(second.program);
    });

    test('the SDK subscribes, publishes and reads stored messages', async () => {
      const { program, url } = await serve(fanfare('serve', '--port', '0', '--memory'));
      expect(await outcome(start(join(place.programs, 'sdk.js'), url))).toEqual({
        code: 0,
        stdout: 'orders/0 "tea"\norders/1 "coffee"\norders/2 {"milk":2}\nhistory orders/1 "coffee"\n',
        stderr: '',
      });
      await stop(program);
    });

    test('clients over all transports get all messages in order, and the server stops while they are connected', async () => {
      const { program, url } = await serve(fanfare('serve', '--port', '0', '--memory'));
      const clients = await Promise.all(ways.map(async (transports) => enter(url, transports)));
      const received = clients.map((client) => collect(client, 'tea', 50));
      for (const client of clients) await client.emitWithAck('subscribe', { topic: 'tea' });
      for (let cup = 0; cup < 50; cup++) {
        const body = JSON.stringify({ topic: 'tea', message: cup });
        const headers = { 'content-type': 'application/json' };
        expect((await fetch(`${url}/publish`, { method: 'POST', headers, body })).status).toBe(200);
      }
      for (const each of received) expect(await each).toEqual(numbers(50).map((cup) => [{ message: cup }]));
      await stop(program);
    });

    test('a slow reader loses nothing and does not delay others', async () => {
      const { program, url } = await serve(fanfare('serve', '--port', '0', '--memory'));
      const [slow, healthy, publisher] = [await enter(url), await enter(url), await enter(url)];
      const count = 200;
      const padding = 'x'.repeat(60_000);
      const received = [slow, healthy].map((client) => collect(client, 'tea', count));
      for (const client of [slow, healthy]) await client.emitWithAck('subscribe', { topic: 'tea' });
      tcpOf(slow).pause();
      for (let cup = 0; cup < count; cup++) {
        const answer: unknown = await publisher.emitWithAck('publish', {
          topic: 'tea',
          message: [cup, padding],
        });
        expect(answer).toMatchObject({ ok: true });
      }
      const cups = numbers(count).map((cup) => [{ message: [cup, padding] }]);
      expect(await received[1]).toEqual(cups);
      tcpOf(slow).resume();
      expect(await received[0]).toEqual(cups);
      await stop(program, /A subscriber does not keep up/);
    });

    test("the adapter on an app's own Socket.IO server writes directly to the connections, in order, and limits what waits", async () => {
      const { program, url } = await serve(start(join(place.programs, 'stock-app.js')));
      const clients = await Promise.all(ways.map(async (transports) => enter(url, transports)));
      const [healthy = await enter(url)] = clients;
      const mixed = clients.map((client) => collect(client, 'news', 100));
      healthy.emit('mixed', 100);
      for (const each of mixed) expect((await each).map(([number]) => number)).toEqual(numbers(100));
      expect(await healthy.emitWithAck('direct')).toBe(true);

      const slow = await enter(url);
      for (const client of [slow, healthy]) await client.emitWithAck('join', 'room');
      tcpOf(slow).pause();
      const gone = nextEvent(slow, 'disconnect', 'the client that reads nothing is disconnected');
      const much = collect(healthy, 'news', 200);
      healthy.on('read', (done: () => void) => done());
      healthy.emit('much', 'room', 200);
      expect((await much).map(([number]) => number)).toEqual(numbers(200));
      tcpOf(slow).resume();
      await gone;
      await stop(program);
    });

    test("the adapter keeps the order on an app's own server that compresses", async () => {
      const { program, url } = await serve(start(join(place.programs, 'stock-app.js'), 'compressed'));
      const client = await enter(url);
      const received = collect(client, 'news', 100);
      client.emit('mixed', 100);
      expect((await received).map(([number]) => number)).toEqual(numbers(100));
      await stop(program);
    });
  });
}
