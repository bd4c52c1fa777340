import { root } from '../paths.ts';
import { socketIoWire } from '../wire/socket-io.ts';
import { packageVersion, type System } from './system.ts';

/** Limits that no scenario comes near. */
const limits = [
  ['--subscriptions-per-connection-max', '1000000'],
  ['--topics-max', '1000000'],
  ['--outbox-bytes-max', String(2 ** 30)],
  ['--outbox-total-bytes-max', String(2 ** 40)],
  ['--stall-timeout-ms', '600000'],
].flat();

/** Fanfare, as the command of this repository starts it. */
export const fanfare: System = {
  name: 'fanfare',
  wire: socketIoWire,
  publishing: ['socket', 'http'],
  missing: () => undefined,
  version: () => packageVersion('packages/cli'),
  start: (processes) =>
    processes.startServer({
      command: process.execPath,
      args: [`${root}packages/cli/bin/fanfare.js`, 'serve', '--port', '0', ...limits],
      ready: /serves on http:\/\/\S+?:(?<port>\d+)/,
    }),
};
