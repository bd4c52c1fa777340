import type { Stats } from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import type { ProcessHealth } from '../observability/process-health.ts';
import { version } from '../version.ts';
import type { MessagePath } from './message-path.ts';

/** @throws FanfareError `not_authorized`, `draining` */
export async function statsOf(
  rights: Rights,
  path: Pick<MessagePath, 'figures'>,
  health: ProcessHealth,
): Promise<Stats> {
  const figures = await path.figures(rights);
  const { time, startedAt, loopDelayMs } = health;
  return { time, startedAt, version, loopDelayMs, ...figures };
}
