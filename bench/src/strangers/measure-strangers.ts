import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readPeakKib, readResidentKib } from '../load/cpu-time.ts';
import type { Deadline } from '../load/deadline.ts';
import type { Figures, StrangersJob } from '../load/job.ts';
import { percentile } from '../load/latencies.ts';
import { Meter } from '../load/meter.ts';
import { compiled } from '../paths.ts';
import type { AttackOrder } from './attack.ts';
import { HealthyClient } from './healthy.ts';

/** How long other clients are served before an attack, and until the next one. */
const quietMs = 2_000;

/**
 * Attacks a server twice. The first attack measures its peak memory. The second measures how late other
 * clients are served, because by then the code is compiled.
 */
export async function measureStrangers(job: StrangersJob, deadline: Deadline): Promise<Figures> {
  const { pid, connections } = job;
  const healthy = await HealthyClient.begin(job.port);
  try {
    deadline.enter(() => `${connections} connections attack: ${job.attack}`);
    await sleep(quietMs);
    forgetPeak(pid);
    const beforeKib = readResidentKib(pid) ?? Number.NaN;
    await attackWhile(job);
    const peakKib = (readPeakKib(pid) ?? Number.NaN) - beforeKib;
    await sleep(quietMs);
    await healthy.recovered();
    const meter = new Meter(pid);
    await attackWhile(job);
    const { latenciesMs, failed } = healthy.take();
    return {
      peakMib: peakKib / 1024,
      peakKibPerConnection: peakKib / connections,
      healthyP50Ms: percentile(latenciesMs, 50),
      healthyP99Ms: percentile(latenciesMs, 99),
      healthyMaxMs: Math.max(...latenciesMs),
      healthyFailed: failed,
      ...meter.read().busy,
    };
  } finally {
    healthy.stop();
  }
}

async function attackWhile({ port, attack, connections, attackMs }: StrangersJob): Promise<void> {
  const attacker = fork(compiled('strangers/attack.js'), { stdio: 'inherit' });
  try {
    attacker.send({ port, kind: attack, connections } satisfies AttackOrder);
    await sleep(attackMs);
  } finally {
    attacker.kill('SIGKILL');
  }
}

/** Resets the peak memory that Linux records for a process. */
function forgetPeak(pid: number): void {
  if (process.platform === 'linux') writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
