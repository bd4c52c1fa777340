// @ts-check
// Runs the suites of the SDK and of the command line across two versions:
//
//     node scripts/last-release.mjs RELEASE
//
// RELEASE is a tag or a commit. The SDK and the command line of the release run their own suites against the
// server of this checkout. Then the SDK of this checkout runs its suite against the server of the release.
// Both versions are built and packed as npm would publish them. This needs the history of git and a network.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './prepare.mjs';

const [release = ''] = process.argv.slice(2);
if (release === '') {
  console.error('Name the release: a tag or a commit.');
  process.exit(2);
}

/** @param {string} cwd @param {string} command @param {string[]} args */
const run = (cwd, command, ...args) =>
  execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1e9,
  });

/**
 * Builds and packs a checkout. The packed packages are below it, so that they find their dependencies.
 *
 * @param {string} checkout
 * @returns {string} the folder with `@fanfare`
 */
function pack(checkout) {
  run(checkout, 'npm', 'run', 'build');
  const modules = join(checkout, 'node_modules/.cache/packed/node_modules');
  rmSync(modules, { recursive: true, force: true });
  for (const name of readdirSync(join(checkout, 'packages'))) {
    const target = join(modules, '@fanfare', name);
    mkdirSync(target, { recursive: true });
    const folder = join(checkout, 'packages', name);
    const said = run(folder, 'npm', 'pack', '--json', '--pack-destination', target);
    const [file] = /** @type {{ filename: string }[]} */ (JSON.parse(said));
    run(target, 'tar', '-xzf', file?.filename ?? '', '--strip-components=1');
  }
  return modules;
}

/**
 * @param {string} checkout - has the suites
 * @param {string} sdk - the packed packages with the SDK
 * @param {string} server - the packed packages with the server
 * @param {string[]} suites
 * @returns {boolean} whether all tests passed
 */
function test(checkout, sdk, server, suites) {
  const config = join(checkout, 'last-release.config.mjs');
  const entry = (/** @type {string} */ modules, /** @type {string} */ path) =>
    join(modules, '@fanfare', path);
  const alias = [
    ['^@fanfare/client$', entry(sdk, 'client/dist/index.js')],
    ['^@fanfare/protocol$', entry(sdk, 'protocol/dist/index.js')],
    ['^@fanfare/server$', entry(server, 'server/dist/index.js')],
    ['^@fanfare/server/settings$', entry(server, 'server/dist/config/settings.js')],
  ].map(
    ([find, replacement]) => `{ find: new RegExp('${find}'), replacement: ${JSON.stringify(replacement)} }`,
  );
  const options =
    '{ include: ["packages/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } }';
  writeFileSync(config, `export default { resolve: { alias: [${alias.join(', ')}] }, test: ${options} };\n`);
  try {
    const args = ['vitest', 'run', '--maxWorkers=2', '--config', config, ...suites];
    return spawnSync('npx', args, { cwd: checkout, stdio: 'inherit' }).status === 0;
  } finally {
    rmSync(config);
  }
}

const sdkSuite = 'packages/client/test';

/** Those whose commands talk to a server of the test. The others test what a command does by itself. */
const commandSuites = ['certificates', 'interactive', 'log', 'sub-pub', 'unknown-outcome'].map(
  (name) => `packages/cli/test/${name}.test.ts`,
);

const folder = mkdtempSync(join(tmpdir(), 'fanfare-release-'));
const old = join(folder, 'checkout');
run(root, 'git', 'worktree', 'add', '--quiet', '--detach', old, release);
try {
  run(old, 'npm', 'ci');
  const [packedOld, packedNew] = [pack(old), pack(root)];
  console.log(`\nThe SDK and the command line of ${release}, with the server of this checkout:`);
  const isForward = test(old, packedOld, packedNew, [sdkSuite, ...commandSuites]);
  console.log(`\nThe SDK of this checkout, with the server of ${release}:`);
  const isBackward = test(root, packedNew, packedOld, [sdkSuite]);
  process.exitCode = isForward && isBackward ? 0 : 1;
} finally {
  run(root, 'git', 'worktree', 'remove', '--force', old);
  rmSync(folder, { recursive: true, force: true });
}
