import { compiled } from '../paths.ts';
import type { Processes } from '../processes.ts';
import type { ClusterJob, JobResult } from './jobs.ts';

/** Runs a job in a load process of its own. Rejects with the reason if it fails. */
export async function runJob<Figures>(processes: Processes, job: ClusterJob): Promise<Figures> {
  const load = processes.startLoad(compiled('cluster/load-main.js'));
  try {
    const result = await new Promise<JobResult<Figures>>((resolve, reject) => {
      load.once('message', (message) => resolve(message as JobResult<Figures>));
      load.once('error', reject);
      load.once('close', () => reject(new Error('The load ended without a result.')));
      load.send(job);
    });
    if (!result.ok) throw new Error(result.reason);
    return result.figures;
  } finally {
    load.kill();
  }
}
