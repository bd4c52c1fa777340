import { setImmediate as nextTurn } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import type { History } from './history.ts';
import { declareTopics, outcomeOf, readHistory } from './http.ts';
import { expectNoFaults, settle } from './load.ts';
import { Random, seeded } from './random.ts';
import { startServerProcess } from './server-process.ts';
import { Subscriber } from './subscriber.ts';
import { World } from './world.ts';

const schedules = Number(process.env['FANFARE_CATCHING_UP_SCHEDULES'] ?? 3);
const steps = ['burst', 'trickle', 'trickle', 'pause', 'resume', 'restart', 'renew', 'cut', 'read'] as const;

/** More than a kernel buffers for a connection that nobody reads. */
const burst = { count: 160, bytes: 50_000 };

describe('subscriptions that alternate between catching up and live', () => {
  it(
    'subscriptions that catch up get every message once and in order, and each state before its first delivery',
    async () => {
      const random = seeded('catching up');
      const { url } = await startServerProcess({
        data: temporaryDirectory(),
        port: 0,
        flags: ['--outbox-bytes-max', '65536'],
      });
      const fallenBehind: number[] = [];
      for (let schedule = 0; schedule < schedules; schedule++) {
        const history = await runSchedule(url, `schedule ${schedule}`, new Random(random.below(1e9)));
        expectNoFaults(history, { acknowledged: burst.count * 2, delivered: burst.count * 6 });
        fallenBehind.push(...history.subscriptions.map(timesFallenBehind));
      }
      console.log(`fallen behind: ${fallenBehind.join(' ')}`);
      // Each schedule has a slow client with three envelope subscriptions.
      expect(fallenBehind.reduce((sum, times) => sum + times, 0)).toBeGreaterThanOrEqual(schedules * 2);
    },
    // The healthy client polls for each message of 50 KB, which takes long on a busy machine.
    20_000 + schedules * 60_000,
  );

  it('subscriptions that catch up learn how many messages retention dropped before they could read them', async () => {
    const random = seeded('catching up with what goes');
    const count = 30;
    const { url } = await startServerProcess({
      data: temporaryDirectory(),
      port: 0,
      flags: ['--outbox-bytes-max', '65536', '--rules', JSON.stringify([{ match: '**', keep: { count } }])],
    });
    const history = await runSchedule(url, 'kept shortly', random);
    const keep = Object.fromEntries(history.publishes.map(({ topic }) => [topic, count]));
    expectNoFaults({ ...history, keep }, { acknowledged: burst.count * 2, delivered: burst.count });
    const events = history.subscriptions.flatMap((each) => each.events);
    const told = events.filter(
      (event) => event.kind === 'gap' || (event.kind === 'subscribed' && event.recovered === false),
    );
    expect(told.length).toBeGreaterThan(0);
  });
});

async function runSchedule(url: string, name: string, random: Random): Promise<History> {
  const topics = [`${name}/a`, `${name}/b`, `${name}/b/c`];
  const world = new World(topics);
  await declareTopics(url, topics);
  const interests = [`${name}/a`, `${name}/*`, `${name}/**`];
  const slow = new Subscriber(
    world,
    'slow',
    url,
    interests.map((interest) => ({ interest })),
    'websocket',
  );
  const plain = new Subscriber(
    world,
    'slow plain',
    url,
    [{ interest: `${name}/b`, form: 'plain' }, { interest: `${name}/b` }],
    'websocket',
  );
  const healthy = new Subscriber(world, 'healthy', url, [{ interest: `${name}/**` }], 'polling');
  const publisher = io(url, { transports: ['websocket'], forceNew: true });
  onTestFinished(() => [slow, plain, healthy].forEach(({ client }) => void client.close()));
  onTestFinished(() => void publisher.close());
  await Promise.all([slow, plain, healthy].map(async (each) => each.subscribed()));

  const publishing: Promise<void>[] = [];
  const publish = (count: number, bytes: number): void =>
    void publishing.push(publishMany(world, publisher, count, bytes, random));
  const run = async (step: (typeof steps)[number]): Promise<void> => {
    const interest = random.pick(interests);
    if (step === 'burst') publish(burst.count, burst.bytes);
    else if (step === 'trickle') publish(random.between(1, 10), 100);
    else if (step === 'read') await world.acknowledges(world.isAwaiting ? 1 : 0);
    else if (step === 'pause' || step === 'resume') {
      for (const each of [slow, plain]) if (each.client.connected) each.tcp[step]();
    } else if (step === 'cut') {
      if (slow.client.connected) slow.tcp.destroy();
      await slow.disconnected();
      await slow.subscribed();
    } else if (step === 'restart')
      slow.restart(interest, random.pick(['earliest', ...slow.pastOf(interest)]));
    else slow.renew(interest);
    await nextTurn();
  };
  // Every schedule begins with falling behind, and catching up while more is published.
  for (const step of ['pause', 'burst'] as const) await run(step);
  await Promise.all(publishing);
  for (const step of ['resume', 'trickle', 'burst'] as const) await run(step);
  for (let more = 8; more > 0; more--) await run(random.pick(steps));
  await run('resume');
  await Promise.all(publishing);
  await settle(world, url, [slow, plain, healthy]);
  expect([slow, plain, healthy].flatMap(({ refusals }) => refusals)).toEqual([]);
  const history = world.history(await readHistory(url, `${name}/**`));
  for (const { client } of [slow, plain, healthy]) client.close();
  publisher.close();
  return history;
}

/** Publishes as fast as the connection accepts it. */
async function publishMany(
  world: World,
  client: Socket,
  count: number,
  bytes: number,
  random: Random,
): Promise<void> {
  const padding = 'x'.repeat(bytes);
  const number = world.sent;
  await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const request = { topic: random.pick(world.topics), message: { number, at, padding } };
      const content = JSON.stringify(request.message);
      const answered = world.send({ publisher: `${number}`, stream: 'one', topic: request.topic, content });
      answered(outcomeOf((await client.emitWithAck('publish', request)) as Parameters<typeof outcomeOf>[0]));
    }),
  );
}

function timesFallenBehind({ events }: History['subscriptions'][number]): number {
  return events.filter((event) => event.kind === 'state' && event.state === 'catching_up').length;
}
