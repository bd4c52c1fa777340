import { compiled } from '../paths.ts';
import type { System } from './system.ts';

/** Node's own HTTP server. It accepts publishes and delivers nothing. */
export const nodeHttp: System = {
  name: 'node:http',
  wire: undefined,
  publishing: ['http'],
  missing: () => undefined,
  version: () => process.versions.node,
  start: (processes) =>
    processes.startServer({
      command: process.execPath,
      args: [compiled('servers/node-http.js')],
      ready: /port (?<port>\d+)/,
    }),
};
