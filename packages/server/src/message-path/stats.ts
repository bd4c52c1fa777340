import type { Rights } from '../access/rights.ts';
import type { LoopDelay, Vitals } from '../observability/vitals.ts';
import { version } from '../version.ts';
import type { Figures, MessagePath } from './message-path.ts';

/** How a server is: PROTOCOL.md 5.11. Times are in milliseconds since 1970. */
export interface Stats extends Figures {
  readonly time: number;
  readonly startedAt: number;
  readonly version: string;
  readonly loopDelayMs: LoopDelay;
}

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
