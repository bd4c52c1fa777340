import { cpus, release, totalmem } from 'node:os';
import type { Pinning } from './processes.ts';
import { findProgram } from './systems/system.ts';

/** The properties of the machine that the figures depend on. */
export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly pinning: Pinning | undefined;
}

/** The server gets one processor and the load another, if there are two processors and `taskset`. */
export function choosePinning(): Pinning | undefined {
  return cpus().length >= 2 && findProgram('taskset') !== undefined ? { server: 0, load: 1 } : undefined;
}

export function describeMachine(pinning: Pinning | undefined): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    pinning,
  };
}

/** Describes the machine in sentences. */
export function machineText({ processor, processors, memoryGib, system, node, pinning }: Machine): string {
  const where = pinning
    ? `The server runs on processor ${pinning.server}, the load on processor ${pinning.load}.`
    : 'Server and load are not pinned to processors: that takes two of them, and taskset.';
  const cpu = process.platform === 'linux' ? '' : ' CPU time and memory are measured on Linux only.';
  return `${processor}, ${processors} processors, ${memoryGib} GiB, ${system}, Node ${node}. ${where}${cpu}`;
}
