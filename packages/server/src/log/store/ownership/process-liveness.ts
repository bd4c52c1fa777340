import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, platform, uptime } from 'node:os';

/** Names a process, and the run of the kernel that it belongs to. */
export interface ProcessName {
  readonly pid: number;
  readonly host: string;
  /** The run of the kernel, from its start to its end. Undefined where it cannot be told from others. */
  readonly kernel?: string;
  /** The PID namespace: the same number is another process in another one. */
  readonly pidSpace?: string;
  /** When the process was started, in the kernel's own unit: process numbers are used again. */
  readonly started?: string;
}

/** The machine that this process runs on, as far as it takes to tell whether another process is alive. */
export interface Machine {
  readonly self: ProcessName;
  /** Whether a process of the same run of the kernel is alive. Undefined when that cannot be told from here. */
  isAlive(other: ProcessName): boolean | undefined;
  /** Milliseconds that only go forward. The time that the machine sleeps can be missing. */
  monotonicMs(): number;
  /** Milliseconds since 1970. It jumps when the clock is set, and after the machine has slept. */
  wallMs(): number;
}

/** The fields of `/proc/PID/stat` after the name: the state is the first, the start time the twentieth. */
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

/** A process whose number is in our own PID namespace. */
function isAlive({ pid, started }: ProcessName): boolean | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Any other error says that the process is there, and not ours.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const stat = statOf(pid);
  if (!stat || started === undefined) return undefined;
  // A zombie has ended; only its parent has not noticed yet.
  return stat[startedField] === started && stat[stateField] !== 'Z' && stat[stateField] !== 'X';
}

function statOf(pid: number): readonly string[] | undefined {
  const line = orUndefined(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The name is in parentheses, and can have spaces and parentheses itself.
  return line?.slice(line.lastIndexOf(')') + 2).split(' ');
}

function kernelName(): string | undefined {
  if (platform() === 'linux')
    return orUndefined(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  // Elsewhere the minute of the start tells runs of one machine apart. A clock that was set costs a wait, nothing more.
  return `${platform()} ${hostname()} ${Math.round((Date.now() / 1_000 - uptime()) / 60)}`;
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
