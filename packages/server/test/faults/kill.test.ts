import { describe, expect, it } from 'vitest';
import { sleep } from '../../../../test/waits.ts';
import { freePort } from '../../../../bench/src/free-port.ts';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import { declareTopics } from './http.ts';
import { expectNoFaults, Load, topics } from './load.ts';
import { seeded } from './random.ts';
import { ServerProcess, startServerProcess, terminate } from './server-process.ts';
import { World } from './world.ts';

const cycles = Number(process.env['FANFARE_KILL_CYCLES'] ?? 10);

describe('a server that is killed or stopped again and again under load', () => {
  it(
    'a server that is killed again and again keeps every acknowledged message once and in order, and resumes every subscriber without a gap',
    async () => {
      const random = seeded('SIGKILL');
      const serve = { data: temporaryDirectory(), port: await freePort() };
      const world = new World(topics);
      let { server, url } = await startServerProcess(serve);
      await declareTopics(url, topics);
      const load = new Load(world, url, random);
      for (let cycle = 0; cycle < cycles; cycle++) {
        world.setUp(url);
        // After none to some hundred acknowledgements, at any moment.
        if (random.isOneIn(2)) await Promise.all(load.subscribers.map(async (each) => each.subscribed()));
        await world.acknowledges(random.isOneIn(6) ? 0 : random.below(120));
        // Time itself is the test: the server is killed at any moment.
        await sleep(random.below(4));
        world.setDown();
        await (random.isOneIn(8) ? terminate(server) : server.kill());
        if (random.isOneIn(8)) {
          // The server is killed while it starts.
          const early = new ServerProcess(serve);
          // Time itself is the test: the server is killed at any moment of its start.
          await sleep(random.below(600));
          await early.kill();
        }
        server = new ServerProcess(serve);
        url = await server.url();
      }
      world.setUp(url);
      const history = await load.finish(url);
      expect(load.subscribers.flatMap(({ refusals }) => refusals)).toEqual([]);
      expectNoFaults(history, { acknowledged: cycles * 20, unknown: cycles, runs: cycles * 4 });
    },
    120_000 + cycles * 6_000,
  );
});
