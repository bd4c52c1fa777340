import { setTimeout as sleep } from 'node:timers/promises';
import { command, elementEnd } from '../../wire/redis.ts';
import { Connection, cutFrames } from '../../wire/connection.ts';
import { cpuUsOf, startNodes } from '../nodes.ts';
import type { Measurement, Sample } from './sample.ts';
import { startRedis } from '../../systems/redis.ts';

const quietMs = 6_000;
const nodes = 3;
/** Nodes that are only names in Redis. */
const names = 300;
const beats = 300;

/** What Redis and nodes do without clients: heartbeats, position checks, sweeps, and timers. */
export const idle: Measurement = {
  name: 'idle',
  run: async (processes): Promise<Sample> => {
    const alone = await startRedis(processes, ['--appendonly', 'no']);
    const [aloneUs = 0] = await cpuUsOf([alone], () => sleep(quietMs));
    await alone.stop();
    const { admin, redis, all, stop } = await startNodes(processes, nodes);
    try {
      await sleep(2_000);
      const before = await admin.counters();
      const [redisUs = 0, ...nodesUs] = await cpuUsOf([redis, ...all], () => sleep(quietMs));
      const after = await admin.counters();
      const beat = await admin.functionName('beat');
      const call = (node: number): Buffer => beatOf(beat, node);
      const oneUs = await beatUs(redis, (at) => call(at % nodes));
      await sendAll(redis.port, names, call);
      const manyBefore = (await admin.counters()).bytesOut;
      const manyUs = await beatUs(redis, (at) => call(at % names));
      const manyBytes = (await admin.counters()).bytesOut - manyBefore;
      const perSecond = quietMs / 1e3;
      // The names of the first call are three of those of the second.
      const peers = names - nodes;
      const seconds = nodes * perSecond;
      return {
        redisIdleUsPerSecond: aloneUs / perSecond,
        redisNodeUsPerSecond: (redisUs - aloneUs) / seconds,
        redisNodeBytesPerSecond: (after.bytesOut - before.bytesOut) / seconds,
        redisBeatPeerUs: (manyUs - oneUs) / peers,
        redisBeatPeerBytes: manyBytes / beats / (nodes + names),
        nodeIdleUsPerSecond: nodesUs.reduce((sum, us) => sum + us, 0) / seconds,
      };
    } finally {
      await stop();
    }
  },
};

function beatOf(name: string, node: number): Buffer {
  const address = `10.0.${node % 256}.1:7000`;
  return command(
    'FCALL',
    name,
    '1',
    '{fanfare}:',
    `n${String(node).padStart(4, '0')}`,
    address,
    'key',
    'a'.repeat(16),
  );
}

/** The processor time of Redis for one heartbeat, in microseconds. */
async function beatUs(redis: { pid: number; port: number }, call: (at: number) => Buffer): Promise<number> {
  const [us = 0] = await cpuUsOf([redis], () => sendAll(redis.port, beats, call));
  return us / beats;
}

/** Sends calls over a new connection, one after the other. */
function sendAll(port: number, count: number, call: (at: number) => Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let at = 0;
    const connection = new Connection(
      port,
      cutFrames(elementEnd, (bytes, start, end) => {
        if (bytes[start] === 0x2d) reject(new Error(bytes.toString('latin1', start, end)));
        else if (++at === count) {
          connection.close();
          resolve();
        } else connection.write(call(at));
      }),
      (reason) => reject(new Error(reason)),
    );
    connection.write(call(at));
  });
}
