// The process that holds the subscribers and the publishers. It is given one job, and sends back one result.
import { systemOf } from '../systems/systems.ts';
import type { Job } from './job.ts';
import { measure } from './measure.ts';

process.once('disconnect', () => process.exit());
process.once('message', (message) => {
  const job = message as Job;
  void measure(job, systemOf(job.system)).then((result) => process.send?.(result));
});
