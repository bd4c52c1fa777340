import { found, fine, skipped, type Check } from './check.ts';

/** The header `Date` has whole seconds, and the way of the response takes time. */
const differenceMaxMs = 5_000;

/** Do the clocks of the server and of this machine agree? */
export const clock: Check = {
  name: 'clock',
  async run(deployment) {
    const answer = deployment.firstAnswer;
    const date = Date.parse(answer?.headers.date ?? '');
    if (!answer || Number.isNaN(date)) return skipped('the server sends no `Date`');
    const aheadMs = date - answer.receivedAt;
    if (Math.abs(aheadMs) <= differenceMaxMs) return fine('the same time as here, within 5 s');
    deployment.clockAheadMs = aheadMs;
    const seconds = Math.round(Math.abs(aheadMs) / 1_000);
    const saw = `Date: ${answer.headers.date}, which is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine`;
    return found('clock_wrong', 'the header Date of the first response', saw);
  },
};
