import { isPattern, type From, type Interest, type Offset } from '@fanfare/protocol';
import type { MayRead, Start } from '../../topic-log.ts';
import type { LogView } from './log-view.ts';
import { patternFilter } from './pattern-filter.ts';
import { locatePattern } from './pattern-start.ts';
import { locateTopic } from './topic-start.ts';

/**
 * Finds the position at which reading starts. An offset of another log, or one after the head, starts at the
 * earliest message.
 */
export async function locate(
  view: LogView,
  interest: Interest,
  from: From,
  mayRead?: MayRead,
): Promise<Start> {
  if (from.kind === 'offset' && !isOffsetOf(view, from.offset)) {
    const start = await locate(view, interest, { kind: 'earliest' }, mayRead);
    return { ...start, recovered: false };
  }
  return isPattern(interest)
    ? locatePattern(view, patternFilter(interest, mayRead), from)
    : locateTopic(view, interest, from);
}

function isOffsetOf({ state }: LogView, { epoch, sequence }: Offset): boolean {
  const { epoch: ours, head } = state();
  return epoch === ours && sequence <= head;
}
