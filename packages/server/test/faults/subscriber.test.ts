import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import type { Kept } from './history.ts';
import { declareTopics, publishHttp, readHistory } from './http.ts';
import { expectNoFaults, getsOrFallsSilent, settle, type Follower } from './load.ts';
import { startServerProcess } from './server-process.ts';
import { Subscriber } from './subscriber.ts';
import { World } from './world.ts';

describe('the subscriber of the fault tests', () => {
  it('a subscriber that restarts twice and renews before any answer resumes from the later restart', async () => {
    const { url, subscriber, world } = await startSubscriber();
    const [first = '', , third = ''] = subscriber.pastOf('news');
    subscriber.restart('news', third);
    subscriber.renew('news');
    subscriber.restart('news', first);
    await settle(world, url, [subscriber]);
    const starts = subscriber.events.flatMap((event) => (event.kind === 'subscribed' ? [event.from] : []));
    expect(starts).toEqual(['new', third, first, first]);
    expectNoFaults(world.history(await readHistory(url)));
  });

  it('a subscriber that restarts has got its last message only when it has come again', async () => {
    const { subscriber, world, kept } = await startSubscriber();
    const [first = ''] = subscriber.pastOf('news');
    subscriber.restart('news', first);
    await subscriber.gets(kept);
    expectNoFaults(world.history(kept), { runs: 2, delivered: 7 });
  });
});

describe('the wait for a subscriber', () => {
  const delivery = { kind: 'message', form: 'plain', topic: 'news', content: '1' } as const;

  it('a subscriber that is slow is waited for as long as messages come', async () => {
    let resolve = (): void => {};
    const all = new Promise<void>((done) => (resolve = done));
    const events: (typeof delivery)[] = [];
    const slow: Follower = {
      name: 'slow',
      status: '',
      gets: () => all,
      get events() {
        if (events.push(delivery) === 20) resolve();
        return events;
      },
    };
    expect(await getsOrFallsSilent(slow, [], 1)).toBe(true);
  });

  it('a subscriber that gets nothing more is left to the oracle', async () => {
    const silent: Follower = {
      name: 'silent',
      status: '',
      gets: () => new Promise<void>(() => {}),
      events: [delivery],
    };
    expect(await getsOrFallsSilent(silent, [], 1)).toBe(false);
  });

  it('a subscriber that is given up on while messages come fails the test', async () => {
    const lost: Follower = {
      name: 'lost',
      status: '',
      gets: () => Promise.reject(new Error('its patience is over')),
      events: [delivery],
    };
    await expect(getsOrFallsSilent(lost, [], 1_000)).rejects.toThrow('its patience is over');
  });
});

/** A subscriber that has got the four messages of the topic `news`. */
async function startSubscriber(): Promise<{
  readonly url: string;
  readonly subscriber: Subscriber;
  readonly world: World;
  readonly kept: readonly Kept[];
}> {
  const { url } = await startServerProcess({ data: temporaryDirectory(), port: 0 });
  const world = new World(['news']);
  await declareTopics(url, world.topics);
  const subscriber = new Subscriber(world, 'restarting', url, [{ interest: 'news' }], 'websocket');
  onTestFinished(() => void subscriber.client.close());
  await subscriber.subscribed();
  for (const message of [1, 2, 3, 4]) {
    const answered = world.send({ publisher: 'one', topic: 'news', content: String(message) });
    const [outcome = { kind: 'unknown' }] = await publishHttp(url, { topic: 'news', message });
    answered(outcome);
  }
  const kept = await readHistory(url);
  await subscriber.gets(kept);
  return { url, subscriber, world, kept };
}
