import { readFileSync, readdirSync } from 'node:fs';

/** What a process has used of the processor so far. */
export interface CpuTime {
  /** For each thread that there is, in nanoseconds. */
  readonly threads: ReadonlyMap<string, number>;
  /** Of all threads, also of those that have ended, in ticks of the clock. */
  readonly ticks: number;
}

/** Linux counts in hundredths of a second for programs, whatever its own clock does. */
const tickMs = 10;

/** @returns undefined where the operating system has no /proc as Linux has it */
export function readCpuTime(pid: number): CpuTime | undefined {
  if (process.platform !== 'linux') return undefined;
  const tasks = `/proc/${pid}/task`;
  const threads = new Map<string, number>();
  for (const thread of readdirSync(tasks)) {
    const text = readIfThere(`${tasks}/${thread}/schedstat`);
    if (text !== undefined) threads.set(thread, Number(text.split(' ', 1)[0]));
  }
  // The second field is the program's name in parentheses; the 14th and 15th are time in the program and in the kernel.
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { threads, ticks: Number(fields[11]) + Number(fields[12]) };
}

/** Milliseconds; exact while the same threads live, else to a tick. */
export function cpuMsBetween(before: CpuTime, after: CpuTime): number {
  const haveEnded = [...before.threads.keys()].some((thread) => !after.threads.has(thread));
  const haveBegun = [...after.threads.keys()].some((thread) => !before.threads.has(thread));
  if (haveEnded || haveBegun) return (after.ticks - before.ticks) * tickMs;
  let ns = 0;
  for (const [thread, time] of after.threads) ns += time - (before.threads.get(thread) ?? 0);
  return ns / 1e6;
}

/**
 * For how long the threads of a process were ready to run, and had no processor, in milliseconds; undefined where the
 * operating system does not say.
 */
export function readWaitedMs(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const tasks = `/proc/${pid}/task`;
  let ns = 0;
  for (const thread of readdirSync(tasks))
    ns += Number(readIfThere(`${tasks}/${thread}/schedstat`)?.split(' ')[1] ?? 0);
  return ns / 1e6;
}

/** Resident memory in KiB; undefined where the operating system does not say. */
export function readResidentKib(pid: number): number | undefined {
  return readMemoryKib(pid, 'VmRSS');
}

/** The most resident memory that a process ever had, in KiB; undefined where the operating system does not say. */
export function readPeakKib(pid: number): number | undefined {
  return readMemoryKib(pid, 'VmHWM');
}

function readMemoryKib(pid: number, name: string): number | undefined {
  const status = process.platform === 'linux' ? readIfThere(`/proc/${pid}/status`) : undefined;
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status ?? '')?.[1];
  return kib === undefined ? undefined : Number(kib);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
