import type { From } from '@fanfare/protocol';
import { Pacer } from '../../../limits/pacer.ts';
import { wasDeletedAfter } from '../deletions.ts';
import { firstEffectiveSince, type Timestamped } from '../effective-time.ts';
import type { Start } from '../../topic-log.ts';
import { keeps, type TopicEntry } from '../topic-entry.ts';
import type { LogView } from './log-view.ts';
import type { PatternFilter } from './pattern-filter.ts';
import { ordinalAt, sequenceBefore } from './topic-positions.ts';

/**
 * Finds the position at which reading starts. The search takes several turns of the event loop. The
 * first page reports messages that are dropped meanwhile.
 */
export async function locatePattern(
  view: LogView,
  { pattern, isWanted }: PatternFilter,
  from: From,
): Promise<Start> {
  const { topics, state } = view;
  const { changes } = topics;
  const { epoch, head } = state();
  if (from.kind === 'new') return { position: { epoch, sequence: head, changes }, due: 0 };
  let sequence = firstPlace(view, from, head);
  let due = 0;
  let recovered =
    from.kind === 'offset' && !wasDeletedAfter(state().deletions, pattern, isWanted, from.offset.sequence);
  const pacer = new Pacer();
  // There may be a million topics.
  for (const entry of topics.all()) {
    if (pacer.isDue) {
      await pacer.yield();
      // Throws if the log was closed meanwhile.
      state();
    }
    if (!isWanted(entry.name)) continue;
    if (!keeps(entry)) recovered = false;
    if (entry.count === entry.trimmed) {
      if (entry.lastSequence > sequence) recovered = false;
      continue;
    }
    const had = ordinalWanted(view, entry, from, from.kind === 'last' ? head : sequence);
    if (had < entry.trimmed) recovered = false;
    due += entry.count - Math.max(had, entry.trimmed);
    if (from.kind === 'earliest' || from.kind === 'last') {
      sequence = Math.min(sequence, placeBefore(view, entry, Math.max(had, entry.trimmed), sequence));
    }
  }
  const newest = from.kind === 'last' ? { newest: { count: from.count, through: head } } : {};
  return {
    position: { epoch, sequence, changes, ...newest },
    ...(from.kind === 'offset' && { recovered }),
    due,
  };
}

/** The position to start from, unless a topic has a wanted message before it. */
function firstPlace({ store, state }: LogView, from: From, head: number): number {
  if (from.kind === 'offset') return from.offset.sequence;
  if (from.kind !== 'time') return head;
  const first = firstEffectiveSince(from.ms, state(), (since, start, end) => {
    let low = Math.max(start, 1) - 1;
    let high = end;
    let found: Timestamped | undefined;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      const block = store.blockBefore(middle);
      if (block && block.first >= start && block.time >= since) {
        found = { block: block.first, time: block.time };
        high = block.first;
      } else {
        low = middle;
      }
    }
    return found;
  });
  return first ? first.block - 1 : head;
}

/**
 * The number of messages of a topic before the wanted ones.
 *
 * @param sequence - all messages after it are wanted
 */
function ordinalWanted({ store }: LogView, entry: TopicEntry, from: From, sequence: number): number {
  switch (from.kind) {
    case 'new':
      return entry.count;
    case 'earliest':
      return entry.trimmed;
    case 'last':
      return ordinalAt(store, entry, sequence) - from.count;
    case 'offset':
    case 'time':
      return ordinalAt(store, entry, sequence);
  }
}

/** The position just before a message, which comes after `had` others; or `latest` if that comes earlier. */
function placeBefore(view: LogView, entry: TopicEntry, had: number, latest: number): number {
  if ((entry.oldest?.block ?? Infinity) > latest) return latest;
  if (had === entry.count - 1) return entry.lastSequence - 1;
  if (had === entry.gone.ordinal && entry.oldest) return entry.oldest.block - 1;
  return sequenceBefore(view, entry, had);
}
