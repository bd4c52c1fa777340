import { compiled } from '../paths.ts';
import { plainWebSocketWire } from '../wire/plain-websocket.ts';
import { packageVersion, type System } from './system.ts';

/** The package ws and a table of subscribers: WebSockets with a minimum of code around them. */
export const ws: System = {
  name: 'ws',
  wire: plainWebSocketWire,
  publishing: ['socket'],
  missing: () => undefined,
  version: () => packageVersion('node_modules/ws'),
  start: (processes) =>
    processes.startServer({
      command: process.execPath,
      args: [compiled('servers/ws.js')],
      ready: /port (?<port>\d+)/,
    }),
};
