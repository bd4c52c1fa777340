import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { root } from '../paths.ts';
import type { Processes, RunningServer } from '../processes.ts';
import type { BatchWire } from '../wire/batches.ts';
import type { Wire } from '../wire/client.ts';
import type { SystemName } from './names.ts';

/** What a scenario needs of a server beside the usual. */
export interface StartOptions {
  /** Whether it keeps whatever it is sent, if it keeps anything; else what it keeps as it comes. */
  readonly keepsAll?: boolean;
  /** Whether what waits for a connection is bounded as it comes; else by nothing that is ever reached. */
  readonly hasUsualOutbox?: boolean;
  /** Whether the server is to tell how late its event loop was, if that can be had. */
  readonly watchesLoop?: boolean;
  /** Whether it takes clients in all ways that it takes them as it comes; else only as the scenarios need. */
  readonly isAsItComes?: boolean;
}

/** Something that the benchmark measures: how it is started, and what it speaks. */
export interface System {
  readonly name: SystemName;
  /** What subscribers speak, and publishers too unless they use HTTP; undefined when it has none. */
  readonly wire: Wire | undefined;
  /** How many messages are published at once, where it can do that. */
  readonly batches?: BatchWire;
  /** Whether it takes part only in scenarios that name it. */
  readonly isOnlyWhereNamed?: boolean;
  /** The ways to publish to it. */
  readonly publishing: readonly ('socket' | 'http')[];
  /** What has to be installed before it can be started; undefined when all is there. */
  missing(): string | undefined;
  /** What is measured, for the record; asked only where nothing is missing. */
  version(): string;
  /** Resolves once it takes connections. */
  start(processes: Processes, options?: StartOptions): Promise<RunningServer>;
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
