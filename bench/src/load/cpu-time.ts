import { readFileSync, readdirSync } from 'node:fs';

/** Processor time that a process has used so far. */
export interface CpuTime {
  /** For each existing thread, in nanoseconds. */
  readonly threads: ReadonlyMap<string, number>;
  /** Of all threads, including ended ones, in clock ticks. */
  readonly ticks: number;
}

/** Linux reports clock ticks in hundredths of a second, independent of its own clock. */
const tickMs = 10;

/** @returns undefined if the operating system does not have Linux's /proc */
export function readCpuTime(pid: number): CpuTime | undefined {
  if (process.platform !== 'linux') return undefined;
  const tasks = `/proc/${pid}/task`;
  const threads = new Map<string, number>();
  for (const thread of readdirSync(tasks)) {
    const text = readIfThere(`${tasks}/${thread}/schedstat`);
    if (text !== undefined) threads.set(thread, Number(text.split(' ', 1)[0]));
  }
  // The second field is the program's name in parentheses. Fields 14 and 15 are user time and kernel time.
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { threads, ticks: Number(fields[11]) + Number(fields[12]) };
}

/** Milliseconds between two readings: exact if the threads are the same, else accurate to a tick. */
export function cpuMsBetween(before: CpuTime, after: CpuTime): number {
  const haveEnded = [...before.threads.keys()].some((thread) => !after.threads.has(thread));
  const haveBegun = [...after.threads.keys()].some((thread) => !before.threads.has(thread));
  if (haveEnded || haveBegun) return (after.ticks - before.ticks) * tickMs;
  let ns = 0;
  for (const [thread, time] of after.threads) ns += time - (before.threads.get(thread) ?? 0);
  return ns / 1e6;
}

/**
 * How long the threads of a process were ready to run but had no processor, in milliseconds. Undefined if the
 * operating system does not report it.
 */
export function readWaitedMs(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const tasks = `/proc/${pid}/task`;
  let ns = 0;
  for (const thread of readdirSync(tasks))
    ns += Number(readIfThere(`${tasks}/${thread}/schedstat`)?.split(' ')[1] ?? 0);
  return ns / 1e6;
}

/** Resident memory in KiB. Undefined if the operating system does not report it. */
export function readResidentKib(pid: number): number | undefined {
  return readMemoryKib(pid, 'VmRSS');
}

/** Peak resident memory of a process in KiB. Undefined if the operating system does not report it. */
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
