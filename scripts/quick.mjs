// @ts-check
// Which tests `npm run test:quick` runs: all that start nothing, and one of each kind that does.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './prepare.mjs';

/**
 * One of each kind: it shows that the parts still fit together. test/quick.test.ts checks that each is there.
 */
export const oneOfEachKind = [
  { kind: 'HTTP of a real server', file: 'packages/server/test/http.test.ts' },
  { kind: 'Socket.IO clients', file: 'packages/server/test/lab-contract.test.ts' },
  { kind: 'Server-Sent Events', file: 'packages/server/test/sse.test.ts' },
  { kind: 'the command line', file: 'packages/cli/test/encodings.test.ts' },
  { kind: 'the fan-out', file: 'packages/fanout/test/several-rooms.test.ts' },
  { kind: 'a hostile client', file: 'packages/server/test/hostile/arriving-packets.test.ts' },
  { kind: 'a fault', file: 'packages/server/test/faults/second-server.test.ts' },
];

/** Tests that start nothing, and take long all the same: they try all that they can. */
export const slowUnits = ['packages/server/test/log/store-faults.test.ts'];

/** Modules that start a server, a program or a browser, or connect to one. */
const starters =
  /^(?:node:(?:child_process|https?|net|tls)|socket\.io(?:-client)?|ws|playwright-core|@fanfare\/server)$/;

/** The files of `npm run test:quick`. */
export function quickFiles() {
  const units = testFiles().filter((file) => !slowUnits.includes(file) && !startsSomething(file));
  return [...units, ...oneOfEachKind.map(({ file }) => file)];
}

/** All test files, from the root folder. */
export function testFiles() {
  const folders = readdirSync(join(root, 'packages')).map((name) => `packages/${name}/test`);
  return [...folders, 'bench/test', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => `${folder}/${file.replaceAll('\\', '/')}`),
  );
}

/**
 * @param {string} file - a test file or a helper, from the root folder
 * @param {Set<string>} seen - files that were looked at already
 * @returns {boolean} whether it, or a helper that it imports, starts a server, a program or a browser
 */
export function startsSomething(file, seen = new Set()) {
  if (seen.has(file)) return false;
  seen.add(file);
  const source = readFileSync(join(root, file), 'utf8');
  if (importsOf(source).some((name) => starters.test(name))) return true;
  const helpers = importsOf(source)
    .filter((name) => name.startsWith('.'))
    .map((name) => join(dirname(file), name).replaceAll('\\', '/'))
    .filter((helper) => /(?:^|\/)test\/|^bench\/src\//.test(helper) && helper.endsWith('.ts'));
  return helpers.some((helper) => startsSomething(helper, seen));
}

/**
 * @param {string} source
 * @returns {string[]} what it imports, but for types
 */
function importsOf(source) {
  return [...source.matchAll(/^(?:import|export) (?!type\b)[^;]*?from '([^']+)';/gms)].map(
    ([, name = '']) => name,
  );
}
