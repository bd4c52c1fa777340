// The process with the subscribers and the publishers. It gets jobs, one after the other, and sends back a
// result for each.
import { systemOf } from '../systems/systems.ts';
import type { Job } from './job.ts';
import { measure } from './measure.ts';

process.once('disconnect', () => process.exit());
process.on('message', (message) => {
  const job = message as Job;
  void measure(job, systemOf(job.system)).then((result) => process.send?.(result));
});
