import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { flagOf } from '@fanfare/server/settings';
import { freePort } from '../../../../bench/src/free-port.ts';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import { documentedConfig, startNginx } from '../nginx.ts';
import { declareTopics } from './http.ts';
import { expectNoFaults, Load, topics } from './load.ts';
import { seeded } from './random.ts';
import { SdkSubscriber } from './sdk-subscriber.ts';
import { ServerProcess, startServerProcess, terminate, type ServeOptions } from './server-process.ts';
import { World } from './world.ts';

const restarts = 4;

/** The time between two publishes of all publishers together. */
const publishEveryMs = 10;

/** The upstream in docs/proxies.md with two servers of which one serves. */
const [, documentedUpstream = ''] =
  /```nginx\n(upstream .*?)```/s.exec(
    readFileSync(new URL('../../../../docs/proxies.md', import.meta.url), 'utf8'),
  ) ?? [];

function configFor(ports: readonly number[]): string {
  expect(documentedUpstream).toContain('server 127.0.0.1:5001');
  const [first, second] = ports.map(String);
  const upstream = documentedUpstream.replace(':5000', `:${first}`).replace(':5001', `:${second}`);
  // The processes of nginx run as a user who cannot write into the directory of the test.
  const unbuffered = 'proxy_request_buffering off; proxy_buffering off;';
  const next = `proxy_pass http://fanfare; proxy_next_upstream error; ${unbuffered}`;
  const server = documentedConfig.replace('proxy_pass http://127.0.0.1:5000/;', next);
  return `${upstream}\n${server.replace('location /rt/', 'location /')}`;
}

it('when a server behind nginx is replaced on its data directory again and again, no acknowledged message is lost, and no client misses one', async () => {
  const random = seeded('replaced');
  const data = temporaryDirectory();
  const ports = [await freePort(), await freePort()];
  const flags = ['--trust-proxy', '127.0.0.1', flagOf('waitForData'), '60000'];
  const optionsOf = (at: number): ServeOptions => ({ data, port: ports[at % 2] ?? 0, flags });
  let { server, url: first } = await startServerProcess(optionsOf(0));
  await declareTopics(first, topics);
  const nginx = await startNginx(configFor(ports), '');
  onTestFinished(() => nginx.stop());
  const world = new World(topics, 'disk', 20);
  world.setUp(nginx.url);
  world.grant(0);
  const timer = setInterval(() => world.grant(1), publishEveryMs);
  onTestFinished(() => clearInterval(timer));
  const load = new Load(world, nginx.url, random);
  const app = new SdkSubscriber(world, 'of the SDK', nginx.url, 'orders/**');
  const areSubscribed = async (): Promise<unknown> =>
    Promise.all([...load.subscribers, app].map(async (each) => each.subscribed()));
  const downtimes: number[] = [];
  for (let at = 1; at <= restarts; at++) {
    await areSubscribed();
    await world.acknowledges(100);
    const next = new ServerProcess(optionsOf(at));
    await next.program.says('This server waits for up to 60 seconds', 'stderr');
    expect(next.program.stdout).toBe('');
    const since = performance.now();
    await terminate(server);
    await next.url();
    await world.acknowledges(1);
    downtimes.push(Math.round(performance.now() - since));
    server = next;
  }
  await areSubscribed();
  await world.acknowledges(100);
  const history = await load.finish(await server.url(), [app]);
  console.log(`from SIGTERM to an acknowledgement of the next server: ${downtimes.join(', ')} ms`);
  expect([...load.subscribers, app].flatMap(({ refusals }) => refusals)).toEqual([]);
  expectNoFaults(history, { acknowledged: 500, runs: restarts * 4 });
}, 240_000);
