import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newestNode, type NodeBinary } from './node-binaries.ts';
import { npm, NpmError } from './npm.ts';
import { programs } from './suite.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The project of a user who installs the packages: an app with the command, the SDK, the server and the
 * adapter.
 */
const folders = ['protocol', 'fanout', 'engine', 'client', 'console', 'server', 'cli'];

/** Versions that only our lock file sets, not a fresh installation. */
const interesting = ['socket.io', 'engine.io', 'engine.io/node_modules/ws', 'ws', 'fastify', 'lmdb'];

export interface Packed {
  readonly name: string;
  /** The archives that `npm pack` has made. */
  readonly tarball: string;
}

/** The oldest supported TypeScript, by its name in the installation. */
export const oldestTypeScript = 'typescript-5.0';

export interface Installation {
  readonly directory: string;
  /** The packages. */
  readonly packages: readonly Packed[];
  /** The oldest supported Node, with which npm has installed; or the reason why it is missing. */
  readonly oldestNode: NodeBinary;
  /** Names and versions of the packages from the registry. */
  readonly versions: string;
  readonly remove: () => void;
}

/**
 * Packs the packages, and installs them in an empty project without a lock file.
 *
 * @returns the reason why there is no installation if the registry cannot be reached
 * @throws NpmError if the packed packages cannot be installed
 */
export async function freshInstallation(): Promise<Installation | { readonly reason: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-fresh-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    writeFileSync(join(directory, 'package.json'), '{ "private": true, "type": "module" }');
    const workspaces = folders.map((name) => `--workspace=packages/${name}`);
    const output = await npm(root, ['pack', '--json', `--pack-destination=${directory}`, ...workspaces]);
    const packed = JSON.parse(output) as { readonly name: string; readonly filename: string }[];
    const files = packed.map(({ filename }) => `./${filename}`);
    // This Node comes with npm 10; npm 12 does not run on it.
    const oldestNode = await newestNode('20.19', { npm: '10' });
    const bin = 'bin' in oldestNode ? oldestNode.bin : undefined;
    // No installed package may require a newer Node, or need a script.
    const strictly = ['install', '--engine-strict', '--ignore-scripts', '--no-audit', '--no-fund'];
    await npm(directory, [...strictly, ...files, `${oldestTypeScript}@npm:typescript@5.0`], { bin });
    cpSync(programs, directory, { recursive: true });
    const tarballs = packed.map(({ name, filename }) => ({ name, tarball: join(directory, filename) }));
    return { directory, packages: tarballs, oldestNode, versions: versionsIn(directory), remove };
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
