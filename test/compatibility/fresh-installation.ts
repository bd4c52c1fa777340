import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm, NpmError } from './npm.ts';
import { programs } from './suite.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What somebody has who installs the packages: an app with the command, the SDK, the server and the adapter. */
const packages = ['protocol', 'fanout', 'client', 'console', 'server', 'cli'];

/** Versions that our lock file sets and a fresh installation does not. */
const interesting = ['socket.io', 'engine.io', 'engine.io/node_modules/ws', 'ws', 'fastify', 'lmdb'];

export interface Installation {
  readonly directory: string;
  /** The names of the packages. */
  readonly names: readonly string[];
  /** Names and versions of what the registry gave. */
  readonly versions: string;
  readonly remove: () => void;
}

/**
 * Packs the packages, and installs them in an empty project without a lock file.
 *
 * @returns why there is no installation when the registry cannot be reached
 * @throws NpmError when what was packed cannot be installed
 */
export async function freshInstallation(): Promise<Installation | { readonly reason: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-fresh-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    writeFileSync(join(directory, 'package.json'), '{ "private": true, "type": "module" }');
    const workspaces = packages.map((name) => `--workspace=packages/${name}`);
    const output = await npm(root, ['pack', '--json', `--pack-destination=${directory}`, ...workspaces]);
    const packed = JSON.parse(output) as { readonly name: string; readonly filename: string }[];
    const files = packed.map(({ filename }) => `./${filename}`);
    await npm(directory, ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...files]);
    cpSync(programs, directory, { recursive: true });
    return { directory, names: packed.map(({ name }) => name), versions: versionsIn(directory), remove };
  } catch (error) {
    remove();
    if (error instanceof NpmError && error.isUnreachable)
      return { reason: `The packages could not be installed: ${error.message}` };
    throw error;
  }
}

function versionsIn(directory: string): string {
  return interesting
    .flatMap((name) => {
      try {
        const text = readFileSync(join(directory, 'node_modules', name, 'package.json'), 'utf8');
        return [`${name} ${(JSON.parse(text) as { readonly version: string }).version}`];
      } catch {
        return [];
      }
    })
    .join(', ');
}
