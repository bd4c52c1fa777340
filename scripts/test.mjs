// @ts-check
// npm test: installs what is missing, builds, checks, tests. The last line says how many passed and failed.
// npm run test:quick: builds, and runs the tests of scripts/quick.mjs alone.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { bundle } from './bundle.mjs';
import { finishPackages } from './packages.mjs';
import { build, install, root } from './prepare.mjs';
import { installPrograms } from './programs.mjs';
import { quickFiles } from './quick.mjs';

/** Checks that run before the tests. Each counts as one test. */
const checks = [
  { name: 'format', command: ['prettier', '--check', '--log-level=warn', '.'] },
  { name: 'lint', command: ['oxlint'] },
  { name: 'unused code and dependencies', command: ['knip', '--no-progress'] },
];

const report = `${root}node_modules/.cache/vitest.json`;

const isQuick = process.argv[2] === '--quick';
const filters = process.argv.slice(isQuick ? 3 : 2);

installPrograms();
install();
build('.');
finishPackages();
await bundle();

let passed = 0;
let failed = 0;
// At the same time: the formatter and the others use one core each.
for (const isFine of await Promise.all(isQuick ? [] : checks.map(check))) {
  if (isFine) passed++;
  else failed++;
}
test(isQuick ? [...quickFiles(), ...filters] : filters);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * Runs the tests and counts them.
 *
 * @param {readonly string[]} files - folders and files; all tests without any
 */
function test(files) {
  rmSync(report, { force: true });
  const isFine = npx([
    'vitest',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile=${report}`,
    ...files,
  ]);
  try {
    const counts = /** @type {{ numPassedTests: number, numFailedTests: number }} */ (
      JSON.parse(readFileSync(report, 'utf8'))
    );
    passed += counts.numPassedTests;
    failed += counts.numFailedTests;
    // A file that cannot be loaded, or an error between tests, counts as one failure.
    if (!isFine && counts.numFailedTests === 0) failed++;
  } catch {
    failed++;
  }
}

/**
 * Runs a check, and prints its output when it ends.
 *
 * @param {{ name: string, command: readonly string[] }} check
 * @returns {Promise<boolean>} whether it found nothing
 */
function check({ name, command: [program = '', ...args] }) {
  return new Promise((resolve) => {
    const child = spawn(`${root}node_modules/.bin/${program}`, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', (error) => (output += error.message));
    child.once('close', (code) => {
      console.log(`${output}${code === 0 ? '✓' : '✗'} ${name}`);
      resolve(code === 0);
    });
  });
}

/**
 * @param {readonly string[]} command - a program of node_modules and its arguments
 * @returns {boolean} whether it ended with 0
 */
function npx([program = '', ...args]) {
  const { status } = spawnSync(`${root}node_modules/.bin/${program}`, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return status === 0;
}
