import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { root } from '../paths.ts';
import type { Processes, RunningServer } from '../processes.ts';
import type { Wire } from '../wire/client.ts';
import type { SystemName } from './names.ts';

/** Something that the benchmark measures: how it is started, and what it speaks. */
export interface System {
  readonly name: SystemName;
  /** What subscribers speak, and publishers too unless they use HTTP; undefined when it has none. */
  readonly wire: Wire | undefined;
  /** The ways to publish to it. */
  readonly publishing: readonly ('socket' | 'http')[];
  /** What has to be installed before it can be started; undefined when all is there. */
  missing(): string | undefined;
  /** What is measured, for the record; asked only where nothing is missing. */
  version(): string;
  /** Resolves once it takes connections. */
  start(processes: Processes): Promise<RunningServer>;
}

/** Whether a program stands on the path, or where Debian puts servers, which is not on everybody's. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/bin'];
  return directories.map((directory) => `${directory}/${name}`).find((path) => existsSync(path));
}

/** The first number with dots that a program prints. */
export function printedVersion(command: string, args: readonly string[]): string {
  const { stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return /\d+(\.\d+)+/.exec(stdout)?.[0] ?? 'unknown';
}

/** The version of a package in the folder. */
export function packageVersion(folder: string): string {
  const manifest = readFileSync(`${root}${folder}/package.json`, 'utf8');
  return /"version": "([^"]+)"/.exec(manifest)?.[1] ?? 'unknown';
}
