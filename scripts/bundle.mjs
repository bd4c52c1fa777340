// @ts-check
// What browsers get: the SDK as one file for a <script> tag, with socket.io-client in it, and the console.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { root } from './prepare.mjs';

const client = `${root}packages/client/`;
const page = `${root}packages/console/`;

/** Bundles what is newer than its bundle. */
export async function bundle() {
  await Promise.all([bundleClient(), bundleConsole()]);
}

async function bundleClient() {
  const file = `${client}dist/bundle/fanfare.js`;
  if (isCurrent(file, [`${client}dist`])) return;
  const { build } = await import('rolldown');
  await build({
    input: `${client}dist/index.js`,
    platform: 'browser',
    output: { file, format: 'iife', name: 'Fanfare', minify: true },
    logLevel: 'warn',
  });
}

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
        // The server lists what it serves: names that stay, and one script.
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
 * @param {readonly string[]} sources - files, and folders with all that is in them
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
        (entry) => entry.isFile() && !entry.parentPath.endsWith('bundle') && !entry.name.endsWith('.tsbuildinfo'),
      )
      .every(({ parentPath, name }) => isOlder(`${parentPath}/${name}`));
  });
}
