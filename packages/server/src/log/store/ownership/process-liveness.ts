import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, platform, uptime } from 'node:os';

/** Identifies a process, and the boot of the kernel that it runs under. */
export interface ProcessName {
  readonly pid: number;
  readonly host: string;
  /** The boot of the kernel. Undefined if it cannot be distinguished from other boots. */
  readonly kernel?: string;
  /** The PID namespace. The same number is a different process in another one. */
  readonly pidSpace?: string;
  /** The start time of the process, in the kernel's unit, because process numbers are reused. */
  readonly started?: string;
}

/** The machine of this process. Used to find out whether another process is alive. */
export interface Machine {
  readonly self: ProcessName;
  /** Whether a process under the same boot of the kernel is alive. Undefined if this is unknown. */
  isAlive(other: ProcessName): boolean | undefined;
  /** A monotonic clock, in milliseconds. It may not count the time while the machine sleeps. */
  monotonicMs(): number;
  /** The wall clock, in milliseconds since 1970. It jumps when it is set, and after sleep. */
  wallMs(): number;
}

/** The fields of `/proc/PID/stat` after the name: the first is the state, the twentieth the start time. */
const stateField = 0;
const startedField = 19;

export function thisMachine(): Machine {
  const started = statOf(process.pid)?.[startedField];
  const pidSpace = orUndefined(() => readlinkSync('/proc/self/ns/pid'));
  const kernel = kernelName();
  const self: ProcessName = {
    pid: process.pid,
    host: hostname(),
    ...(kernel !== undefined && { kernel }),
    ...(pidSpace !== undefined && { pidSpace }),
    ...(started !== undefined && { started }),
  };
  return {
    self,
    isAlive: (other) => (other.pidSpace === pidSpace ? isAlive(other) : undefined),
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
  };
}

/** @param process - one in our own PID namespace */
function isAlive({ pid, started }: ProcessName): boolean | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // With any other error, the process exists and belongs to another user.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const stat = statOf(pid);
  if (!stat || started === undefined) return undefined;
  // A zombie has ended. Only its parent has not noticed yet.
  return stat[startedField] === started && stat[stateField] !== 'Z' && stat[stateField] !== 'X';
}

function statOf(pid: number): readonly string[] | undefined {
  const line = orUndefined(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The name is in parentheses, and may contain spaces and parentheses.
  return line?.slice(line.lastIndexOf(')') + 2).split(' ');
}

function kernelName(): string | undefined {
  if (platform() === 'linux')
    return orUndefined(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  // On other systems, the minute of the boot distinguishes boots. After a step of the clock, a start waits
  // longer, and nothing worse happens.
  return `${platform()} ${hostname()} ${Math.round((Date.now() / 1_000 - uptime()) / 60)}`;
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
