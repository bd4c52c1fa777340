// @ts-check
// Takes the place of systemctl in a fresh root, where systemd does not run. It starts what the units name, as
// their user and without capabilities. The other restrictions of the units are for systemd alone.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const places = ['/etc/systemd/system', '/lib/systemd/system'];

/** @param {string} unit @returns {Map<string, string[]>} the values of each key */
function read(unit) {
  const path = places.map((place) => `${place}/${unit}`).find((one) => existsSync(one));
  if (path === undefined) throw new Error(`Unit ${unit} not found.`);
  /** @type {Map<string, string[]>} */
  const keys = new Map();
  for (const [, key = '', value = ''] of readFileSync(path, 'utf8').matchAll(/^(\w+)=(.*)$/gm))
    keys.set(key, [...(keys.get(key) ?? []), value]);
  return keys;
}

/** @param {Map<string, string[]>} unit @param {string} key */
const valueOf = (unit, key) => unit.get(key)?.[0] ?? '';

/** @param {Map<string, string[]>} unit @param {string} line */
function argumentsOf(unit, line) {
  const user = [`--reuid=${valueOf(unit, 'User')}`, `--regid=${valueOf(unit, 'Group')}`, '--clear-groups'];
  const rights = ['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];
  const command = line.replaceAll('%%', '%').replaceAll('$$', '$');
  return [...user, ...rights, 'bash', '-c', `umask ${valueOf(unit, 'UMask')}; exec ${command}`];
}

/** @param {string} name */
const pidPath = (name) => `/run/${name}.pid`;

/** @param {string} name */
function start(name) {
  const unit = read(name);
  const state = valueOf(unit, 'StateDirectory');
  if (state !== '' && !existsSync(`/var/lib/${state}`)) {
    mkdirSync(`/var/lib/${state}`);
    spawnSync('chown', [`${valueOf(unit, 'User')}:${valueOf(unit, 'Group')}`, `/var/lib/${state}`]);
    spawnSync('chmod', [valueOf(unit, 'StateDirectoryMode'), `/var/lib/${state}`]);
  }
  if (valueOf(unit, 'Type') === 'oneshot') {
    for (const line of [...(unit.get('ExecStart') ?? []), ...(unit.get('ExecStartPost') ?? [])]) {
      const { status } = spawnSync('setpriv', argumentsOf(unit, line), { cwd: '/', stdio: ['ignore', 2, 2] });
      if (status !== 0) throw new Error(`${name} failed: ${line}`);
    }
    return;
  }
  if (name.endsWith('.timer')) return;
  const log = openSync(`/run/${name}.log`, 'a');
  const args = argumentsOf(unit, valueOf(unit, 'ExecStart'));
  const child = spawn('setpriv', args, { cwd: '/', detached: true, stdio: ['ignore', log, log] });
  writeFileSync(pidPath(name), String(child.pid));
  child.unref();
}

/** @param {string} name */
function stop(name) {
  if (!existsSync(pidPath(name))) return;
  const pid = Number(readFileSync(pidPath(name), 'utf8'));
  const limit = Date.now() + 1_000 * Number(valueOf(read(name), 'TimeoutStopSec'));
  process.kill(pid, 'SIGTERM');
  while (isThere(pid)) {
    if (Date.now() > limit) throw new Error(`${name} does not stop.`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  rmSync(pidPath(name));
}

/** @param {number} pid */
function isThere(pid) {
  try {
    // A zombie has ended. Nobody waits for it here.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** nginx is a daemon of its own. `nginx -t` leaves an empty file for its process. */
function reloadNginx() {
  const pid = existsSync('/run/nginx.pid') ? Number(readFileSync('/run/nginx.pid', 'utf8')) : 0;
  const { status } = spawnSync('nginx', pid > 0 && isThere(pid) ? ['-s', 'reload'] : [], {
    stdio: [0, 2, 2],
  });
  if (status !== 0) throw new Error('nginx failed.');
}

const [command = '', ...rest] = process.argv.slice(2);
const names = rest
  .filter((word) => !word.startsWith('-'))
  .map((word) => (/\.\w+$/.test(word) ? word : `${word}.service`));
for (const name of names) {
  if (name === 'nginx.service' && command === 'reload') reloadNginx();
  else if (command === 'enable' || command === 'start') start(name);
  else if (command === 'stop') stop(name);
  else if (command === 'restart') {
    stop(name);
    start(name);
  } else throw new Error(`Unknown command ${command} ${name}`);
}
