// @ts-check
// Finishes the output of tsc: makes declarations readable for every version of TypeScript, adds entries for
// CommonJS, and removes the output of deleted sources.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { root } from './prepare.mjs';

/** The packages with an API. */
const libraries = ['protocol', 'fanout', 'engine', 'client', 'server'];

/** The packages whose CommonJS modules `bundle` creates. */
const bundled = new Set(['client']);

/** @typedef {{ types: string, default: string }} Entry */

/** tsc leaves `.ts` in the imports of declarations, which other programs do not accept. */
const specifier = /(from '|import '|import\(["'])(\.{1,2}\/[^'"]+?)\.ts(?=['"])/g;

/** Must be called after every run of tsc. */
export function finishPackages() {
  for (const name of [...libraries, 'cli']) removeOutdated(`${root}packages/${name}`);
  for (const name of libraries) {
    const folder = `${root}packages/${name}`;
    for (const file of declarationsIn(`${folder}/dist`)) {
      const text = readFileSync(file, 'utf8');
      // The text keeps its length, so that the declaration map stays valid.
      const finished = text.replaceAll(specifier, '$1$2.js');
      if (finished === text) continue;
      const { atime, mtime } = statSync(file);
      writeFileSync(file, finished);
      // A newer time would make tsc compile all dependents again.
      utimesSync(file, atime, mtime);
    }
    writeCommonJs(folder, bundled.has(name));
  }
}

/**
 * Removes the output of sources that were deleted.
 *
 * @param {string} folder - of a package
 */
function removeOutdated(folder) {
  // `npm start` builds only what it needs.
  if (!existsSync(`${folder}/dist`)) return;
  for (const path of readdirSync(`${folder}/dist`, { recursive: true, encoding: 'utf8' })) {
    const [source, extension] = path.split(/(?=\.(?:js|d\.ts)(?:\.map)?$)/);
    if (extension === undefined || /^(?:cjs|bundle)\b/.test(path)) continue;
    if (!existsSync(`${folder}/src/${source}.ts`)) rmSync(`${folder}/dist/${path}`);
  }
}

/** @param {string} folder */
function declarationsIn(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.d.ts') && !path.startsWith('cjs') && !path.startsWith('bundle'))
    .map((path) => join(folder, path));
}

/**
 * Writes `dist/cjs`: for each entry of the package a module of CommonJS with the declarations that it needs.
 * The module is the one of `dist` (Node 20.19 and later can `require` it), so that a program never has two of
 * it.
 *
 * @param {string} folder - of a package
 * @param {boolean} isBundled - whether there are only declarations to write
 */
function writeCommonJs(folder, isBundled) {
  const { exports } =
    /** @type {{ exports: Record<string, string | { import?: Entry, require?: Entry }> }} */ (
      JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
    );
  const dist = join(folder, 'dist');
  const target = join(dist, 'cjs');
  /** @type {Set<string>} */
  const written = new Set();
  write(join(target, 'package.json'), '{ "type": "commonjs" }\n');
  for (const entry of Object.values(exports)) {
    if (typeof entry === 'string' || !entry.import || !entry.require) continue;
    for (const file of reachable(resolve(folder, entry.import.types))) {
      const copy = join(target, relative(dist, file));
      written.add(copy);
      write(copy, readFileSync(file, 'utf8').replace(/\n\/\/# sourceMappingURL=.*/, ''));
    }
    if (isBundled) continue;
    const wrapper = resolve(folder, entry.require.default);
    const original = relative(dirname(wrapper), resolve(folder, entry.import.default));
    written.add(wrapper);
    write(wrapper, `module.exports = require('${original}');\n`);
  }
  for (const path of readdirSync(target, { recursive: true, encoding: 'utf8' })) {
    const isOurs = path.endsWith('.d.ts') || (path.endsWith('.js') && !isBundled);
    if (isOurs && !written.has(join(target, path))) rmSync(join(target, path));
  }
}

/**
 * A declaration file, with all declaration files of the package that it imports.
 *
 * @param {string} file
 * @param {Set<string>} found
 */
function reachable(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  const named = readFileSync(file, 'utf8').matchAll(/['"](\.{1,2}\/[^'"]+?)\.js['"]/g);
  for (const [, path] of named) reachable(`${resolve(dirname(file), path ?? '')}.d.ts`, found);
  return found;
}

/**
 * Writes a file, unless it has the text already, so that its time does not change.
 *
 * @param {string} file
 * @param {string} text
 */
function write(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
