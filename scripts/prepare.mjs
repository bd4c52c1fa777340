// @ts-check
// Prepares a checkout: installs packages and compiles. It imports only Node's own modules, because a fresh
// clone has no others.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Installs the packages of package-lock.json, unless they are installed already. */
export function install() {
  checkNode();
  const stamp = `${root}node_modules/.fanfare-installed`;
  const wanted = createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('Installing the packages of package-lock.json …');
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, wanted);
}

/**
 * Compiles changed sources.
 *
 * @param {string} project - the folder or file of a tsconfig, compiled with all its references
 */
export function build(project) {
  run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '--build', project]);
}

/**
 * Runs a program in the root folder. If it fails, this program ends with the same exit code.
 *
 * @param {string} command
 * @param {readonly string[]} args
 */
export function run(command, args) {
  // The output of npm goes to the standard error, because a program may read the standard output. On Windows,
  // npm is a
  // script.
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: command === 'npm' && process.platform === 'win32',
  });
  if (error) console.error(`Cannot start ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(
    `Fanfare needs Node 20.19 or later; this is ${process.versions.node}. See https://nodejs.org`,
  );
  process.exit(1);
}
