// @ts-check
// The SDK as one file for a <script> tag, with socket.io-client in it.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { root } from './prepare.mjs';

const compiled = `${root}packages/client/dist/`;
const file = `${compiled}bundle/fanfare.js`;

/** Bundles what was compiled, if that is newer than the bundle. */
export async function bundle() {
  const modules = readdirSync(compiled).filter((name) => name.endsWith('.js'));
  const newest = Math.max(...modules.map((name) => statSync(`${compiled}${name}`).mtimeMs));
  if (existsSync(file) && statSync(file).mtimeMs >= newest) return;
  const { build } = await import('rolldown');
  await build({
    input: `${compiled}index.js`,
    platform: 'browser',
    output: { file, format: 'iife', name: 'Fanfare', minify: true },
    logLevel: 'warn',
  });
}
