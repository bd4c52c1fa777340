// @ts-check
// npm test: installs what is missing, builds, checks, tests. The last line says how many passed and failed.
// npm run test:quick: builds, and runs the tests of scripts/quick.mjs alone.
import { spawnSync } from 'node:child_process';
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
for (const { name, command } of isQuick ? [] : checks) {
  const isFine = npx(command);
  console.log(`${isFine ? '✓' : '✗'} ${name}`);
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
