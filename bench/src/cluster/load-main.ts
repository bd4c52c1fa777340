// The process that publishes. It gets one job, and sends back its result.
import { measureAcknowledgement } from './measure-acknowledgement.ts';
import { measureAppends } from './measure-appends.ts';
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
    return { ok: true, figures: await deadline.run<object>(() => measure(job, deadline)) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

function measure(job: ClusterJob, deadline: Deadline): Promise<object> {
  switch (job.kind) {
    case 'appends':
      return measureAppends(job, deadline);
    case 'following':
      return measureFollowing(job, deadline);
    case 'acknowledgement':
      return measureAcknowledgement(job, deadline);
  }
}
