import { compiled } from '../paths.ts';
import { plainWebSocketWire } from '../wire/plain-websocket.ts';
import { packageVersion, type System } from './system.ts';

/** The package ws and a table of who is subscribed: WebSockets with as little around them as there can be. */
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
