import { cpuMsBetween, readCpuTime } from './cpu-time.ts';

/** @returns what reads the processor time of a process since now. Undefined if it cannot be measured */
export function stopwatch(pid: number | undefined): () => number | undefined {
  const before = pid === undefined ? undefined : readCpuTime(pid);
  return () => {
    const after = pid === undefined ? undefined : readCpuTime(pid);
    return before && after && cpuMsBetween(before, after);
  };
}
