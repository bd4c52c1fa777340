import type { From, Topic } from '@fanfare/protocol';
import type { LogState, Store } from '../../store/store.ts';
import type { Start } from '../../topic-log.ts';
import { wasDeletedAfter } from '../deletions.ts';
import { firstEffectiveSince } from '../effective-time.ts';
import type { TopicEntry } from '../topic-entry.ts';
import type { LogView } from './log-view.ts';
import { firstChunk, ordinalAt, recordAt, sequenceBefore } from './topic-positions.ts';

/** Finds the position at which reading starts. It reads some dozens of chunks at most. */
export function locateTopic(view: LogView, topic: Topic, from: From): Start {
  const { epoch, head } = view.state();
  const entry = view.topics.get(topic);
  const recovered = from.kind === 'offset' && isRecovered(view, topic, entry, from.offset.sequence);
  const flag = from.kind === 'offset' ? { recovered } : {};
  if (!entry || from.kind === 'new' || entry.count === entry.trimmed) {
    return { position: { epoch, sequence: head, ordinal: entry?.count ?? 0 }, ...flag, due: 0 };
  }
  const ordinal = Math.max(entry.trimmed, ordinalOf(view, entry, from));
  const sequence =
    recovered && ordinal < entry.count ? from.offset.sequence : sequenceBefore(view, entry, ordinal);
  return { position: { epoch, sequence, ordinal }, ...flag, due: entry.count - ordinal };
}

/** The number of messages of the topic before the start. */
function ordinalOf({ store, state }: LogView, entry: TopicEntry, from: From): number {
  switch (from.kind) {
    case 'new':
      return entry.count;
    case 'earliest':
      return 0;
    case 'last':
      return entry.count - from.count;
    case 'time':
      return ordinalBefore(store, entry, from.ms, state());
    case 'offset':
      return ordinalAt(store, entry, from.offset.sequence);
  }
}

/** The number of messages of the topic before a time. */
function ordinalBefore(store: Store, entry: TopicEntry, ms: number, state: LogState): number {
  const first = firstEffectiveSince(ms, state, (since, from, end) =>
    firstChunk(store, entry, { from, end }, ({ time }) => time >= since),
  );
  const ordinal = (first?.ordinal ?? entry.count + 1) - 1;
  // Makes sure that no message is missing just before the start.
  const before = first?.block ?? entry.lastSequence + 1;
  if (ordinal > entry.trimmed) recordAt(store.chunkBefore(entry.number, before - 1), ordinal, entry);
  return ordinal;
}

/** Whether no message of the topic after an offset is missing. */
function isRecovered(view: LogView, topic: Topic, entry: TopicEntry | undefined, sequence: number): boolean {
  if (view.topics.ruleOf(topic).keep === 'none') return false;
  // Messages that were deleted before a topic was created do not belong to it.
  if (
    (entry?.createdAt ?? Infinity) >= sequence &&
    wasDeletedAfter(view.state().deletions, topic, (name) => name === topic, sequence)
  )
    return false;
  return !entry || ordinalAt(view.store, entry, sequence) >= entry.trimmed;
}
