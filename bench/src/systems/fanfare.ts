import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { compiled, root } from '../paths.ts';
import type { Processes, Program, RunningServer } from '../processes.ts';
import { httpBatchWire } from '../wire/http-batches.ts';
import { guardedSocketIoWire, socketIoWire } from '../wire/socket-io.ts';
import { benchKey } from '../wire/token.ts';
import type { SystemName } from './names.ts';
import { packageVersion, type StartOptions, type System } from './system.ts';

/** What all variants of Fanfare have in common. */
export const common: Pick<System, 'wire' | 'publishing' | 'missing' | 'version'> = {
  wire: socketIoWire,
  publishing: ['socket', 'http'],
  missing: () => undefined,
  version: () => packageVersion('packages/cli'),
};

/** Limits far above every scenario. */
export const limits: readonly string[] = [
  ['--subscriptions-per-connection-max', '1000000'],
  ['--subscribe-rate-per-connection-max', '0'],
  ['--topics-max', '1000000'],
  ['--memory-bytes-max', String(2 ** 34)],
].flat();

/** With these settings a slow subscriber is never served from the log. */
const wideOutbox = [
  ['--outbox-bytes-max', String(2 ** 30)],
  ['--outbox-total-bytes-max', String(2 ** 40)],
  ['--stall-timeout-ms', '600000'],
].flat();

export const keepNothing: readonly string[] = ['--rules', '[{"match":"**","keep":"none"}]'];
export const keepAll: readonly string[] = [
  '--rules',
  '[{"match":"**","keep":{"count":1000000000,"age":"7d","bytes":"1024GiB"}}]',
];

/** Fanfare, started by the command of this repository. It keeps nothing, like most other systems here. */
export const fanfare: System = variant('fanfare', 'none', () => ['--memory', ...keepNothing]);

/** Fanfare by default: every message is on disk before it is acknowledged or delivered. */
export const fanfareDisk: System = variant('fanfare-disk', 'disk', (data, { keepsAll }) => [
  '--data',
  data,
  ...(keepsAll ? keepAll : []),
]);

export const fanfareMemory: System = {
  ...variant('fanfare-memory', 'memory', (_data, { keepsAll }) => ['--memory', ...(keepsAll ? keepAll : [])]),
  isOnlyWhereNamed: true,
};

/** Requires tokens, and sets every limit that there is, so high that no scenario reaches it. */
const guards = [
  ['--key', benchKey],
  ['--connections-per-address-max', '1000000'],
  ...['publish', 'subscribe'].flatMap((what) =>
    ['connection', 'subject', 'address'].map((whose) => [`--${what}-rate-per-${whose}-max`, '10000000']),
  ),
].flat();

export const fanfareGuarded: System = guarded(
  variant('fanfare-guarded', 'none', () => ['--memory', ...keepNothing, ...guards]),
);

export const fanfareDiskGuarded: System = guarded(
  variant('fanfare-disk-guarded', 'disk', (data) => ['--data', data, ...guards]),
);

function guarded({ batches: _batches, ...system }: System): System {
  return { ...system, wire: guardedSocketIoWire, isOnlyWhereNamed: true };
}

/** @param keeping - the settings for what is kept, and where */
function variant(
  name: Extract<SystemName, `fanfare${string}`>,
  stores: 'none' | 'memory' | 'disk',
  keeping: (data: string, options: StartOptions) => readonly string[],
): System {
  return {
    ...common,
    name,
    batches: httpBatchWire(stores),
    start: async (processes, options = {}) => {
      const data = join(processes.directory, `data-${++started}`);
      const running = await startFanfare(processes, options, keeping(data, options));
      const stop = async (): Promise<void> => {
        await running.stop();
        rmSync(data, { recursive: true, force: true });
      };
      return { ...running, stop };
    },
  };
}

/** `fanfare serve` of this checkout. */
export function serve(flags: readonly string[]): Program {
  return {
    command: process.execPath,
    args: [`${root}packages/cli/bin/fanfare.js`, 'serve', ...flags],
    ready: /serves on http:\/\/[^\s"]+?:(?<port>\d+)/,
  };
}

let started = 0;

/** @param flags - that say what is kept, and where */
export async function startFanfare(
  processes: Processes,
  { hasUsualOutbox, watchesLoop }: StartOptions,
  flags: readonly string[],
  processor: Program['processor'] = 'server',
): Promise<RunningServer> {
  const watches = watchesLoop && process.platform !== 'win32';
  const loopDelayPath = watches ? join(processes.directory, `loop-${++started}`) : undefined;
  const watching = loopDelayPath === undefined ? [] : ['--import', compiled('servers/loop-delay.js')];
  const { args, ...program } = serve([
    '--port=0',
    ...limits,
    ...(hasUsualOutbox ? [] : wideOutbox),
    ...flags,
  ]);
  const running = await processes.startServer({
    ...program,
    processor,
    args: [...watching, ...args],
    ...(loopDelayPath !== undefined && { env: { FANFARE_BENCH_LOOP: loopDelayPath } }),
  });
  const stop = async (): Promise<void> => {
    await running.stop();
    if (loopDelayPath !== undefined) rmSync(loopDelayPath, { force: true });
  };
  return { ...running, stop, loopDelayPath };
}
