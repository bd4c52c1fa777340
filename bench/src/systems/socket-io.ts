import { compiled } from '../paths.ts';
import { socketIoWire } from '../wire/socket-io.ts';
import { packageVersion, type System } from './system.ts';

/** Socket.IO alone, with rooms as topics. */
export const socketIo: System = {
  name: 'socket.io',
  wire: socketIoWire,
  publishing: ['socket', 'http'],
  missing: () => undefined,
  version: () => packageVersion('node_modules/socket.io'),
  start: (processes, { isAsItComes = false } = {}) =>
    processes.startServer({
      command: process.execPath,
      args: [compiled('servers/socket-io.js'), ...(isAsItComes ? ['--polling'] : [])],
      ready: /port (?<port>\d+)/,
    }),
};
