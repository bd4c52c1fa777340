// @ts-check
// Bundles the SDK as a CommonJS module and as one file for a <script> tag (with socket.io-client), and
// bundles the console.
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { root } from './prepare.mjs';

const client = `${root}packages/client/`;
const page = `${root}packages/console/`;

/** Bundles sources that are newer than their bundle. */
export async function bundle() {
  await Promise.all([bundleClient(), bundleConsole()]);
}

async function bundleClient() {
  const folder = `${client}dist/bundle`;
  const file = `${folder}/fanfare.js`;
  const input = `${client}dist/index.js`;
  if (isCurrent(file, [`${client}dist`, `${root}scripts/bundle.mjs`])) return;
  const { build } = await import('rolldown');
  // For Jest, and for bundlers that do not support `exports` or current syntax.
  await build({
    input,
    platform: 'node',
    external: ['socket.io-client'],
    transform: { target: 'es2019' },
    output: { file: `${client}dist/cjs/index.js`, format: 'cjs' },
    logLevel: 'warn',
  });
  const names = Object.keys(/** @type {object} */ (await import(pathToFileURL(input).href)));
  // Dead code that names the exports, because `import` cannot detect them in minified code.
  const footer = `0&&(module.exports={${names.join()}});`;
  await build({
    input,
    platform: 'browser',
    output: { file, format: 'umd', name: 'Fanfare', minify: true, postFooter: footer },
    logLevel: 'warn',
  });
  writeFileSync(`${folder}/package.json`, '{ "type": "commonjs" }\n');
  writeFileSync(`${folder}/fanfare.d.ts`, scriptDeclaration);
}

const scriptDeclaration = `export * from '../cjs/index.js';
/** The global of <script src="…/fanfare.js">. */
export as namespace Fanfare;
declare global {
  /** The same in a module of a page. */
  const Fanfare: typeof import('../cjs/index.js');
}
`;

async function bundleConsole() {
  const sources = [`${page}src`, `${page}index.html`, `${client}dist`, `${root}packages/protocol/dist`];
  if (isCurrent(`${page}dist/console/console.js`, [...sources, `${root}scripts/bundle.mjs`])) return;
  const { build } = await import('vite');
  await build({
    root: page,
    base: './',
    configFile: false,
    logLevel: 'warn',
    build: {
      target: 'es2022',
      modulePreload: false,
      assetsInlineLimit: 0,
      rolldownOptions: {
        // The server has a fixed list of the files that it serves, so their names must not change.
        output: {
          entryFileNames: 'console/console.js',
          assetFileNames: 'console/console[extname]',
          codeSplitting: false,
        },
      },
    },
  });
}

/**
 * @param {string} file
 * @param {readonly string[]} sources - files, and folders with their content
 */
function isCurrent(file, sources) {
  if (!existsSync(file)) return false;
  const made = statSync(file).mtimeMs;
  const isOlder = (/** @type {string} */ path) => statSync(path).mtimeMs <= made;
  return sources.every((source) => {
    if (statSync(source).isFile()) return isOlder(source);
    const within = readdirSync(source, { recursive: true, withFileTypes: true });
    return within
      .filter(
        (entry) =>
          entry.isFile() && !/(?:bundle|cjs)$/.test(entry.parentPath) && !entry.name.endsWith('.tsbuildinfo'),
      )
      .every(({ parentPath, name }) => isOlder(`${parentPath}/${name}`));
  });
}
