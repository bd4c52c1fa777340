import type { Stats } from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import type { Vitals } from '../observability/process-health.ts';
import { version } from '../version.ts';
import type { MessagePath } from './message-path.ts';

/** @throws FanfareError `not_authorized`, `draining` */
export async function statsOf(
  rights: Rights,
  path: Pick<MessagePath, 'figures'>,
  vitals: Vitals,
): Promise<Stats> {
  const figures = await path.figures(rights);
  const { time, startedAt, loopDelayMs } = vitals;
  return { time, startedAt, version, loopDelayMs, ...figures };
}
