// The process that publishes. It gets one job, and sends back its result.
import { measureAcknowledgement } from './measure-acknowledgement.ts';
import { measureFollowing } from './measure-following.ts';
import { Deadline } from '../load/deadline.ts';
import type { ClusterJob, JobResult } from './jobs.ts';

process.once('disconnect', () => process.exit());
process.once('message', (message) => {
  void run(message as ClusterJob).then((result) => process.send?.(result));
});

async function run(job: ClusterJob): Promise<JobResult<object>> {
  const deadline = new Deadline(job.timeoutMs);
  try {
    const figures = await deadline.run<object>(() =>
      job.kind === 'following' ? measureFollowing(job, deadline) : measureAcknowledgement(job, deadline),
    );
    return { ok: true, figures };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
