import type { Topic } from '@fanfare/protocol';
import { BlockBuilder } from './block-builder.ts';
import { withDeletions } from '../deletions.ts';
import type { RememberedId } from '../id-table.ts';
import { digestOf, idKey, type RememberedIds } from '../remembered-ids.ts';
import { TopicChanges, type TopicDraft } from './topic-changes.ts';
import type { ChunkRecord, LogState, Store, StoreCommit } from '../../store/store.ts';
import type {
  Appended,
  AppendOutcome,
  LogRecord,
  NewRecord,
  Revocation,
  TopicCreation,
} from '../../topic-log.ts';
import { logRecord } from '../log-record.ts';
import { keeps, oldestOf, type TopicEntry } from '../topic-entry.ts';
import type { TopicTable } from '../topic-table.ts';

/** The state from which a plan starts. Only the application of the plan changes it. */
export interface PlanContext {
  readonly topics: TopicTable;
  readonly ids: RememberedIds;
  readonly state: LogState;
  /** The timestamp of everything in the commit. */
  readonly time: number;
  readonly level: Store['level'];
}

/** The part of a store's commit that comes from a plan. */
export interface PlannedCommit extends Pick<
  StoreCommit,
  'state' | 'blocks' | 'chunks' | 'ids' | 'topics' | 'removedTopics'
> {
  /** Whether the store has anything to do. */
  readonly isNeeded: boolean;
}

interface IdHashes {
  readonly key: string;
  readonly digest: string;
}

/**
 * The plan of one commit. It takes operations in their order, and returns for each the result that it will
 * have after the commit. Afterwards the plan is applied; or it is dropped, and nothing has changed.
 */
export class CommitPlan {
  /** The records for the tail. */
  readonly records: LogRecord[] = [];
  readonly blocks: BlockBuilder;
  readonly #context: PlanContext;
  readonly #topics: TopicChanges;
  readonly #ids = new Map<string, RememberedId>();
  #head: number;
  #revocations: LogState['revocations'];

  constructor(context: PlanContext) {
    this.#context = context;
    this.blocks = new BlockBuilder(context.time);
    this.#topics = new TopicChanges({ ...context, head: () => this.#head });
    this.#head = context.state.head;
    this.#revocations = context.state.revocations;
  }

  /** The head of the log after the commit. */
  get head(): number {
    return this.#head;
  }

  /** The newest timestamp after the commit. */
  get newestTime(): number {
    const { time, state } = this.#context;
    return this.records.length > 0 ? time : state.time;
  }

  append(record: NewRecord): AppendOutcome {
    const hashes = record.id === undefined ? undefined : { key: idKey(record), digest: digestOf(record) };
    const first = hashes && (this.#ids.get(hashes.key) ?? this.#context.ids.get(hashes.key));
    // An id counts for its whole window, even if its topic was forgotten meanwhile.
    if (first) {
      if (first.digest !== hashes.digest) return { kind: 'id_conflict' };
      const { sequence, time, stored } = first;
      return { kind: 'duplicate', epoch: this.#context.state.epoch, sequence, time, stored };
    }
    const draft = this.#topics.get(record.topic) ?? this.#createByPublish(record);
    if (typeof draft === 'string') return { kind: draft };
    this.#topics.noteUse(draft);
    const { publishBytesMax } = draft.entry.rule;
    const bytes = Buffer.byteLength(record.messageJson);
    if (bytes > publishBytesMax) return { kind: 'message_too_large', bytesMax: publishBytesMax };
    if (hashes && this.#ids.size >= this.#context.ids.idsLeft) return { kind: 'ids_exhausted' };
    return this.#appended(record, bytes, draft, hashes);
  }

  /** @param subject - the subject that the topic belongs to, if it is created */
  create(topic: Topic, isDeclared: boolean, subject?: string): TopicCreation {
    const existing = this.#topics.get(topic);
    const draft = existing ?? this.#topics.make(topic, subject);
    if (!draft) return 'topics_exhausted';
    if (isDeclared) this.#topics.declare(draft);
    this.#topics.noteUse(draft);
    return existing ? 'existed' : 'created';
  }

  delete(topic: Topic): boolean {
    const draft = this.#topics.get(topic);
    if (draft) this.#topics.remove(draft);
    return draft !== undefined;
  }

  /** Forgets names of subjects that have too many, except names that this plan uses. */
  forgetExcess(): void {
    this.#topics.forgetExcess();
  }

  /** Adds a revocation in place of that of its subject, and drops those that have ended. */
  revoke(revocation: Revocation, ended: readonly string[]): void {
    const gone = new Set([...ended, revocation.subject]);
    this.#revocations = [...this.#revocations.filter(({ subject }) => !gone.has(subject)), revocation];
  }

  /** Stores a topic that is only in memory. */
  save(entry: TopicEntry): void {
    const draft = entry.isDeleted ? undefined : this.#topics.get(entry.name);
    if (draft) draft.isToBeSaved = true;
  }

  /** Whether the plan creates, deletes or forgets a topic. */
  changes(topic: Topic): boolean {
    return this.#topics.changes(topic);
  }

  /** The growth of the number of topics. */
  get growth(): number {
    return this.#topics.growth;
  }

  /** The number of changes that need the store. */
  get weight(): number {
    return this.#head - this.#context.state.head + this.#topics.storing + this.#revoking;
  }

  /** Returns the finished plan for the store. */
  commit(): PlannedCommit {
    const { blocks, chunks, ids } = this.blocks;
    const topics = this.#topics.changed();
    const removedTopics = this.#topics.removed();
    const changes =
      blocks.length + topics.length + removedTopics.length + this.#topics.deletions.length + this.#revoking;
    return { isNeeded: changes > 0, state: this.#state(), blocks, chunks, ids, topics, removedTopics };
  }

  /**
   * Applies the plan after the commit has succeeded.
   *
   * @param isSaved - whether the topics were written
   * @returns the topics that were created, deleted or forgotten, or that got messages
   */
  apply(isSaved: boolean): readonly TopicEntry[] {
    const { topics, ids } = this.#context;
    const changed = this.#topics.apply(isSaved);
    for (const chunk of this.blocks.chunks) {
      const entry = topics.at(chunk.topic);
      if (entry && !entry.oldest) entry.oldest = oldestOf(chunk);
    }
    for (const [key, remembered] of this.#ids) ids.set(key, remembered);
    return changed;
  }

  get #revoking(): number {
    return this.#revocations === this.#context.state.revocations ? 0 : 1;
  }

  #state(): LogState {
    const { state, topics } = this.#context;
    return {
      epoch: state.epoch,
      head: this.#head,
      time: this.newestTime,
      trustedTime: state.trustedTime,
      clockSteps: state.clockSteps,
      topicNumber: topics.highestNumber,
      deletions: withDeletions(state.deletions, this.#topics.deletions),
      revocations: this.#revocations,
    };
  }

  #appended(record: NewRecord, bytes: number, draft: TopicDraft, hashes: IdHashes | undefined): Appended {
    const { topic } = record;
    const { time, level } = this.#context;
    const { epoch } = this.#context.state;
    const isStored = keeps(draft.entry);
    draft.published++;
    draft.lastTime = time;
    // A record that is not stored has the sequence of the record before it.
    if (isStored) this.#head++;
    const sequence = this.#head;
    const chunkRecord = chunkRecordOf(record, sequence);
    if (isStored) this.#store(chunkRecord, bytes, draft, hashes);
    const ordinal = isStored ? draft.count : 0;
    const stored = isStored ? level : 'none';
    if (hashes) this.#ids.set(hashes.key, { sequence, time, digest: hashes.digest, stored });
    this.records.push(logRecord(chunkRecord, epoch, topic, ordinal, time));
    return { kind: 'appended', epoch, sequence, time, stored };
  }

  #store(record: ChunkRecord, bytes: number, draft: TopicDraft, hashes: IdHashes | undefined): void {
    const { sequence } = record;
    this.blocks.add(record, bytes, {
      topic: draft.entry.number,
      ordinal: ++draft.count,
      bytesBefore: draft.bytes,
    });
    if (hashes) this.blocks.addId({ ...hashes, sequence });
    draft.bytes += bytes;
    draft.lastSequence = sequence;
    draft.isToBeSaved ||= !draft.entry.isSaved || draft.entry.isOutdated;
    this.#topics.noteUse(draft);
  }

  #createByPublish({
    topic,
    subject,
    createsTopic,
  }: NewRecord): TopicDraft | 'topic_not_found' | 'topics_exhausted' {
    if (createsTopic !== true && this.#context.topics.ruleOf(topic).create !== 'publish')
      return 'topic_not_found';
    return this.#topics.make(topic, subject) ?? 'topics_exhausted';
  }
}

/** Without spreads, because it runs for every message. */
function chunkRecordOf({ messageJson, id, publisher }: NewRecord, sequence: number): ChunkRecord {
  if (publisher !== undefined)
    return id === undefined ? { sequence, messageJson, publisher } : { sequence, messageJson, id, publisher };
  return id === undefined ? { sequence, messageJson } : { sequence, messageJson, id };
}
