import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { root } from '../paths.ts';
import { socketIoPollingWire } from '../wire/socket-io-polling.ts';
import { printedVersion, type System } from './system.ts';

/** Debian's own Python, which has Debian's packages. */
const python = '/usr/bin/python3';

/**
 * Debian's Flask-SocketIO, on Flask's own server with a thread for each request. Without a package for
 * WebSockets its clients poll, and publishes go over HTTP.
 */
export const flaskSocketIo: System = {
  name: 'flask-socketio',
  wire: socketIoPollingWire,
  publishing: ['http'],
  missing: () => (pythonHasFlaskSocketIo() ? undefined : `flask_socketio for ${python}`),
  version: () =>
    printedVersion(python, ['-c', "import importlib.metadata as m; print(m.version('flask-socketio'))"]),
  start: (processes) =>
    processes.startServer({
      command: python,
      args: [`${root}bench/servers/flask_server.py`],
      ready: /Running on http:\/\/127\.0\.0\.1:(?<port>\d+)/,
    }),
};

function pythonHasFlaskSocketIo(): boolean {
  const search = "import importlib.util as u, sys; sys.exit(u.find_spec('flask_socketio') is None)";
  return existsSync(python) && spawnSync(python, ['-c', search]).status === 0;
}
