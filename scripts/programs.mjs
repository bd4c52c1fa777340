// @ts-check
// Installs the programs that the tests need and npm does not have: other clients and servers, a browser, a
// terminal.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { run } from './prepare.mjs';

/** The programs: name, check whether it is installed, and Debian package. */
const programs = [
  {
    name: 'python-socketio for /usr/bin/python3',
    isThere: () => pythonHas('socketio'),
    debian: 'python3-socketio',
  },
  { name: 'requests for /usr/bin/python3', isThere: () => pythonHas('requests'), debian: 'python3-requests' },
  {
    name: 'websocket-client for /usr/bin/python3',
    isThere: () => pythonHas('websocket'),
    debian: 'python3-websocket',
  },
  // For python-socketio's client of asyncio.
  { name: 'aiohttp for /usr/bin/python3', isThere: () => pythonHas('aiohttp'), debian: 'python3-aiohttp' },
  { name: '/usr/bin/chromium', isThere: () => existsSync('/usr/bin/chromium'), debian: 'chromium' },
  { name: 'tmux', isThere: () => isOnPath('tmux'), debian: 'tmux' },
  { name: 'jq', isThere: () => isOnPath('jq'), debian: 'jq' },
  { name: 'zsh', isThere: () => isOnPath('zsh'), debian: 'zsh' },
  { name: 'fish', isThere: () => isOnPath('fish'), debian: 'fish' },
  // The benchmark's smoke test; it starts each on a free port of its own.
  { name: 'mosquitto', isThere: () => isServerThere('mosquitto'), debian: 'mosquitto' },
  { name: 'nats-server', isThere: () => isServerThere('nats-server'), debian: 'nats-server' },
  { name: 'redis-server', isThere: () => isServerThere('redis-server'), debian: 'redis-server' },
  {
    name: 'flask_socketio for /usr/bin/python3',
    isThere: () => pythonHas('flask_socketio'),
    debian: 'python3-flask-socketio',
  },
  { name: 'nginx', isThere: () => isServerThere('nginx'), debian: 'nginx-light' },
  { name: 'haproxy', isThere: () => isServerThere('haproxy'), debian: 'haproxy' },
  { name: 'caddy', isThere: () => isServerThere('caddy'), debian: 'caddy' },
  { name: 'systemd-analyze', isThere: () => isOnPath('systemd-analyze'), debian: 'systemd' },
  // promtool and prometheus, for the metrics, the alerts and the dashboard.
  { name: 'promtool', isThere: () => isOnPath('promtool'), debian: 'prometheus' },
  { name: 'curl', isThere: () => isOnPath('curl'), debian: 'curl' },
  // For servers on networks that break.
  { name: 'ip', isThere: () => isServerThere('ip'), debian: 'iproute2' },
  // For servers whose clock is wrong.
  { name: 'faketime', isThere: () => isOnPath('faketime'), debian: 'faketime' },
];

/**
 * Installs missing programs as root on Debian and its derivatives. Otherwise prints what to install, and
 * fails.
 */
export function installPrograms() {
  const missing = programs.filter(({ isThere }) => !isThere());
  if (missing.length === 0) return;
  const packages = missing.map(({ debian }) => debian);
  if (process.getuid?.() === 0 && isOnPath('apt-get')) {
    console.error(`Installing ${packages.join(' ')} …`);
    run('apt-get', ['update', '--quiet=2']);
    run('apt-get', ['install', '--yes', '--quiet=2', '--no-install-recommends', ...packages]);
    return;
  }
  console.error(`The tests need ${missing.map(({ name }) => name).join(', ')}.`);
  console.error(`On Debian or Ubuntu: sudo apt-get install ${packages.join(' ')}`);
  console.log('0 passed, 1 failed');
  process.exit(1);
}

/** @param {string} module */
function pythonHas(module) {
  const search = `import importlib.util as u, sys; sys.exit(u.find_spec('${module}') is None)`;
  return spawnSync('/usr/bin/python3', ['-c', search]).status === 0;
}

/**
 * Searches system folders too, because Debian installs servers outside the path of most users.
 *
 * @param {string} program
 */
function isServerThere(program) {
  return (
    isOnPath(program) || ['/usr/sbin', '/usr/bin'].some((directory) => existsSync(`${directory}/${program}`))
  );
}

/** @param {string} program */
function isOnPath(program) {
  return (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(`${directory}/${program}`));
}
