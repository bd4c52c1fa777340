import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import { FakeClock } from './fake-clock.ts';
import { startServerProcess, terminate } from './server-process.ts';

const year = 365 * 86_400;

const rules = JSON.stringify([
  { match: 'brief', keep: { age: '1s' }, create: 'publish' },
  { match: '**', create: 'publish' },
]);

interface Published {
  readonly time: number;
  readonly duplicate?: boolean;
}

async function publish(url: string, topic: string, message: unknown, id?: string): Promise<Published> {
  const response = await fetch(`${url}/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ topic, message, id }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Published;
}

async function messages(url: string, topic: string, query = ''): Promise<readonly unknown[]> {
  const response = await fetch(`${url}/topics/${topic}/messages${query}`);
  const page = (await response.json()) as { messages: readonly { message: unknown }[] };
  return page.messages.map(({ message }) => message);
}

const { missing } = FakeClock;

describe.skipIf(missing !== undefined)(
  `a server whose clock is wrong${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    it('a server continues normally after one start with the clock in the year 2099', async () => {
      const clock = new FakeClock();
      const options = { data: temporaryDirectory(), port: 0, flags: ['--rules', rules], env: clock.env };
      clock.set(73 * year);
      const ahead = await startServerProcess(options);
      const { time } = await publish(ahead.url, 'news', 'from 2099', 'id');
      expect(time).toBeGreaterThan(Date.now() + 72 * year * 1_000);
      await publish(ahead.url, 'brief', 'from 2099');
      await terminate(ahead.server);
      clock.set(0);
      const { server, url } = await startServerProcess(options);
      expect(server.program.stderr).toMatch(
        /The clock shows \S+, but the newest message has the timestamp 2\d\d\d-\S+Z\. New messages get timestamps by the clock\./,
      );
      expect(await publish(url, 'news', 'from 2099', 'id')).toMatchObject({ time, duplicate: true });
      const before = Date.now();
      const now = (await publish(url, 'news', 'now')).time;
      expect(now).toBeGreaterThanOrEqual(before);
      expect(now).toBeLessThanOrEqual(Date.now());
      expect(await messages(url, 'news')).toEqual(['from 2099', 'now']);
      expect(await messages(url, 'news', `?time=${now}`)).toEqual(['now']);
      // Messages from the future are dropped at their age, too.
      await publish(url, 'brief', 'now');
      await expect.poll(() => messages(url, 'brief')).toEqual([]);
    });

    it('a server deletes nothing while its clock is a year ahead, and continues once the clock is right', async () => {
      const clock = new FakeClock();
      const options = { data: temporaryDirectory(), port: 0, flags: ['--rules', rules], env: clock.env };
      const { server, url } = await startServerProcess(options);
      for (const message of [1, 2, 3]) await publish(url, 'news', message);
      clock.set(year);
      await server.program.says(/The clock is 1 year ahead of the expected time, and may be wrong/, 'stderr');
      await publish(url, 'news', 4);
      expect(await messages(url, 'news')).toEqual([1, 2, 3, 4]);
      clock.set(0);
      await server.program.says('The clock is trusted again', 'stderr');
      const { time } = await publish(url, 'news', 5);
      expect(Math.abs(time - Date.now())).toBeLessThan(60_000);
      await publish(url, 'brief', 'one more sweep');
      await expect.poll(() => messages(url, 'brief')).toEqual([]);
      expect(await messages(url, 'news')).toEqual([1, 2, 3, 4, 5]);
    });

    it('a server deletes nothing when its clock is a year ahead for one start, however that run ends', async () => {
      const clock = new FakeClock();
      const options = { data: temporaryDirectory(), port: 0, flags: ['--rules', rules], env: clock.env };
      const first = await startServerProcess(options);
      await publish(first.url, 'news', 1);
      await terminate(first.server);
      clock.set(year);
      for (const ends of [terminate, (server: typeof first.server) => server.kill()]) {
        const ahead = await startServerProcess(options);
        expect(ahead.server.program.stderr).toContain(
          'The clock is 1 year ahead of the expected time, and may be wrong.',
        );
        await publish(ahead.url, 'brief', 'one more sweep');
        await expect.poll(() => messages(ahead.url, 'brief')).toEqual([]);
        await ends(ahead.server);
      }
      clock.set(0);
      const { url } = await startServerProcess(options);
      await publish(url, 'brief', 'one more sweep');
      await expect.poll(() => messages(url, 'brief')).toEqual([]);
      expect(await messages(url, 'news')).toEqual([1]);
    });
  },
);
