import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.ts';
import type { Processes, RunningServer } from '../processes.ts';
import { findProgram } from '../systems/system.ts';
import { askRedis } from '../wire/redis.ts';

const group = 'fanfare';

/** Faster than by default, so that the smoke test takes seconds. */
const shortPeriods = [
  'info-period',
  '500',
  'publish-period',
  '200',
  'ping-period',
  '200',
  'ask-period',
  '200',
];

const knowEachOtherMs = 60_000;

export interface SentinelTrio {
  readonly url: string;
  readonly primary: RunningServer;
  readonly replica: RunningServer;
  readonly sentinelPorts: readonly number[];
  readonly stop: () => Promise<void>;
}

/**
 * Three sentinels that watch a primary and a replica. All settings are the defaults, except that a primary
 * counts as down after `downAfterMs`, and those that `isFast` changes. Resolves once each sentinel knows all
 * others.
 */
export async function startSentinels(
  processes: Processes,
  { downAfterMs, isFast }: { readonly downAfterMs: number; readonly isFast: boolean },
): Promise<SentinelTrio> {
  const running: RunningServer[] = [];
  const start = async (
    lines: readonly string[],
    ready: RegExp,
    isSentinel = false,
  ): Promise<RunningServer> => {
    const port = await freePort();
    const directory = mkdtempSync(join(processes.directory, 'redis-'));
    const conf = join(directory, 'redis.conf');
    const all = [`port ${port}`, 'bind 127.0.0.1', `dir ${directory}`, ...lines];
    writeFileSync(conf, `${all.join('\n')}\n`);
    const args = [conf, ...(isSentinel ? ['--sentinel'] : [])];
    const server = await processes.startServer({
      command: findProgram('redis-server') ?? 'redis-server',
      args,
      ready,
    });
    running.unshift({ ...server, port });
    return { ...server, port };
  };
  const stop = async (): Promise<void> => {
    for (const server of running) await server.stop();
  };
  try {
    const store = ['save ""', 'repl-diskless-sync-delay 0'];
    const primary = await start(store, /Ready to accept connections/);
    const replica = await start(
      [...store, `replicaof 127.0.0.1 ${primary.port}`],
      /sync: Finished with success/,
    );
    const watching = [
      `sentinel monitor ${group} 127.0.0.1 ${primary.port} 2`,
      `sentinel down-after-milliseconds ${group} ${downAfterMs}`,
      // After an election without a winner, as on a busy machine, the next one comes after twice this time.
      ...(isFast ? [`sentinel failover-timeout ${group} 5000`] : []),
    ];
    const sentinelPorts: number[] = [];
    for (let count = 0; count < 3; count++)
      sentinelPorts.push((await start(watching, /\+monitor master/, true)).port);
    if (isFast) for (const port of sentinelPorts) await askRedis(port, 'SENTINEL', 'DEBUG', ...shortPeriods);
    for (const port of sentinelPorts) await untilItKnowsAll(port);
    const hosts = sentinelPorts.map((port) => `127.0.0.1:${port}`).join(',');
    return { url: `redis+sentinel://${hosts}/${group}`, primary, replica, sentinelPorts, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilItKnowsAll(port: number): Promise<void> {
  const endsAt = performance.now() + knowEachOtherMs;
  let reply = '';
  do {
    reply = await askRedis(port, 'SENTINEL', 'MASTER', group);
    if (valueOf('num-slaves', reply) === '1' && valueOf('num-other-sentinels', reply) === '2') return;
    // Sentinels find each other through messages.
    await sleep(50);
  } while (performance.now() < endsAt);
  throw new Error(`A sentinel does not know the others: ${reply.replaceAll('\r\n', ' ')}`);
}

function valueOf(field: string, reply: string): string | undefined {
  const words = reply.split('\r\n');
  return words[words.indexOf(field) + 2];
}
