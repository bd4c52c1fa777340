import { describe, expect } from 'vitest';
import { freePort } from '../../../../bench/src/free-port.ts';
import { sleep, until } from '../../../../test/waits.ts';
import { breakSaves } from '../redis/broken-saves.ts';
import { readHistory } from './http.ts';
import { seeded } from './random.ts';
import { expectRefused, note, readinessOf, startShared } from './shared-setup.ts';
import { sideBySide } from './side-by-side.ts';

const random = seeded('refusals of Redis');

/** Nothing tells when a node has noticed something. */
const aWhile = { step: () => sleep(50) };

describe('several nodes whose Redis refuses to write', () => {
  sideBySide('refusals of Redis run side by side', {
    'while Redis is full, publishes are refused as a whole, and everything can be read': async () => {
      const { redis, first, second, load, probeBoth, judge } = await startShared(random);
      await redis.configSet('maxmemory', '1mb');
      const probes = await probeBoth();
      expect(probes.map(({ code }) => code)).toEqual(['storage_unavailable', 'storage_unavailable']);
      const [one, other] = await Promise.all([readHistory(first.url), readHistory(second.url)]);
      expect(one.length).toBeGreaterThanOrEqual(30);
      expect(other).toEqual(one);
      await redis.configSet('maxmemory', 0);
      note('full', probes, await load.recovers(first.url, 'probe 1'));
      await judge();
    },

    'while Redis cannot save its snapshot, publishes are refused, `/readyz` and the log say why, and afterwards nothing is lost':
      async () => {
        const { redis, first, load, probeBoth, judge } = await startShared(random);
        const ready = await readinessOf(first.url);
        expect(ready).toEqual({ status: 200, log: { ok: true, stored: 'memory' } });
        const broken = await breakSaves(redis);
        const probes = [...(await probeBoth()), ...(await probeBoth())];
        expect(probes.map(({ code }) => code)).toEqual(Array(4).fill('storage_unavailable'));
        expectRefused(probes);
        const reason = 'Redis cannot save to its disk, and refuses writes.';
        // The node asks Redis each second.
        await until('`/readyz` says why', async () => (await readinessOf(first.url)).status === 503, aWhile);
        expect(await readinessOf(first.url)).toEqual({ status: 503, log: { ok: false, reason } });
        expect((await readHistory(first.url)).length).toBeGreaterThanOrEqual(30);
        expect(first.server.program.stderr).toContain(reason);
        broken.lift();
        note('MISCONF', probes, await load.recovers(first.url, 'probe 1'));
        await until('the node is ready', async () => (await readinessOf(first.url)).status === 200, aWhile);
        await judge();
      },

    'while Redis is a replica, publishes are refused, and afterwards nothing is lost': async () => {
      const { redis, second, load, probeBoth, judge } = await startShared(random);
      // Nothing listens there, so that the data stays.
      await redis.command('REPLICAOF', '127.0.0.1', await freePort());
      const probes = await probeBoth();
      await redis.command('REPLICAOF', 'NO', 'ONE');
      note('READONLY', probes, await load.recovers(second.url, 'probe 1'));
      expectRefused(probes);
      await judge();
    },

    'while Redis has too few replicas, publishes are refused, and afterwards nothing is lost': async () => {
      const { redis, first, load, probeBoth, judge } = await startShared(random);
      await redis.configSet('min-replicas-to-write', 1);
      const probes = await probeBoth();
      expect(probes.map(({ code }) => code)).toEqual(['storage_unavailable', 'storage_unavailable']);
      await redis.configSet('min-replicas-to-write', 0);
      note('NOREPLICAS', probes, await load.recovers(first.url, 'probe 1'));
      await judge();
    },

    'while Redis runs a script of somebody else, publishes are refused in time, and afterwards nothing is lost':
      async () => {
        const { redis, first, load, probeBoth, judge } = await startShared(random, {
          redis: { config: ['busy-reply-threshold 500'] },
        });
        const other = await redis.connect();
        void other.send('EVAL', 'while true do end', 0);
        const probes = [...(await probeBoth()), ...(await probeBoth())];
        await redis.command('SCRIPT', 'KILL');
        note('BUSY', probes, await load.recovers(first.url, 'probe 1'));
        expectRefused(probes);
        await judge();
      },

    'when the functions are flushed, the nodes load them again, and each publish succeeds when it is retried':
      async () => {
        const { redis, first, second, load, judge } = await startShared(random);
        for (let round = 0; round < 3; round++) {
          await redis.command('FUNCTION', 'FLUSH');
          // A later batch can get through if the other node has loaded the functions between the two.
          await Promise.all([load.recovers(first.url), load.recovers(second.url)]);
          await load.world.acknowledges(5);
        }
        await judge();
      },
  });
});
