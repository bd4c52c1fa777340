import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { root } from '../paths.ts';
import type { Processes, RunningServer } from '../processes.ts';
import type { BatchWire } from '../wire/batches.ts';
import type { Wire } from '../wire/client.ts';
import type { SystemName } from './names.ts';

/** Options of a scenario for its server. */
export interface StartOptions {
  /** Whether it keeps everything, if it keeps anything. Without it, it keeps what it does by default. */
  readonly keepsAll?: boolean;
  /**
   * Whether it has its default limits for what waits for a connection. Without it, limits are out of reach.
   */
  readonly hasUsualOutbox?: boolean;
  /** Whether the server reports its event-loop delay, if it can. */
  readonly watchesLoop?: boolean;
  /**
   * Whether it accepts clients over all default transports. Without it, only over those that the scenarios
   * need.
   */
  readonly isAsItComes?: boolean;
}

/** A system that the benchmark measures: how it is started, and its protocols. */
export interface System {
  readonly name: SystemName;
  /**
   * The protocol of subscribers, and of publishers unless they use HTTP. Undefined if it has no subscribers.
   */
  readonly wire: Wire | undefined;
  /** The protocol for batches, if the system has them. */
  readonly batches?: BatchWire;
  /** Whether it takes part only in scenarios that name it. */
  readonly isOnlyWhereNamed?: boolean;
  /** How messages can be published to it. */
  readonly publishing: readonly ('socket' | 'http')[];
  /** What has to be installed before it can start. Undefined if nothing is missing. */
  missing(): string | undefined;
  /** The version, for the record. Called only if nothing is missing. */
  version(): string;
  /** Resolves once it accepts connections. */
  start(processes: Processes, options?: StartOptions): Promise<RunningServer>;
}

/** Whether a program is on the path, or in Debian's folder for servers, which may not be on the path. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/bin'];
  return directories.map((directory) => `${directory}/${name}`).find((path) => existsSync(path));
}

/** The first number with dots that a program prints. */
export function printedVersion(command: string, args: readonly string[]): string {
  const { stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return /\d+(\.\d+)+/.exec(stdout)?.[0] ?? 'unknown';
}

/** The version of an installed package. */
export function packageVersion(folder: string): string {
  const manifest = readFileSync(`${root}${folder}/package.json`, 'utf8');
  return /"version": "([^"]+)"/.exec(manifest)?.[1] ?? 'unknown';
}
