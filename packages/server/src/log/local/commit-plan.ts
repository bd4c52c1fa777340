import type { Topic } from '@fanfare/protocol';
import { BlockBuilder } from './block-builder.ts';
import { withDeletions } from './deletions.ts';
import { digestOf, idKey, type Remembered, type RememberedIds } from './remembered-ids.ts';
import type { ChunkRecord, Deletion, LogState, Store, StoreCommit, TopicRecord } from '../store/store.ts';
import type { AppendOutcome, LogRecord, NewRecord, TopicCreation } from '../topic-log.ts';
import { logRecord } from './topic-reading.ts';
import { keeps, oldestOf, recordOf, type TopicEntry, type TopicTable } from './topic-table.ts';

/** What a plan starts from. It changes none of it before it is applied. */
export interface PlanContext {
  readonly topics: TopicTable;
  readonly topicsMax: number;
  readonly ids: RememberedIds;
  readonly state: LogState;
  /** When the commit is made. */
  readonly time: number;
  readonly level: Store['level'];
}

/** What a plan has the store do. */
export type PlannedCommit = Pick<StoreCommit, 'state' | 'blocks' | 'chunks' | 'ids' | 'topics'>;

/** What a topic is to become. */
interface Draft {
  readonly entry: TopicEntry;
  readonly isNew: boolean;
  /** What has no messages and was not declared can wait. */
  isToBeSaved: boolean;
  isDeclared: boolean;
  count: number;
  bytes: number;
  lastSequence: number;
  published: number;
  lastTime: number;
}

interface IdHashes {
  readonly key: string;
  readonly digest: string;
}

/**
 * What one commit is to do: it takes what is asked for in its order and answers each as it will be once
 * the commit has succeeded. Then it is applied; or thrown away, and nothing was changed.
 */
export class CommitPlan {
  /** What the tail is to get. */
  readonly records: LogRecord[] = [];
  readonly blocks: BlockBuilder;
  readonly #context: PlanContext;
  readonly #drafts = new Map<Topic, Draft>();
  /** Drafts of topics that were deleted, whose names may have been taken again since. */
  readonly #deleted = new Map<TopicEntry, Draft>();
  readonly #ids = new Map<string, Remembered>();
  readonly #deletions: Deletion[] = [];
  #growth = 0;
  #head: number;
  #asked = 0;

  constructor(context: PlanContext) {
    this.#context = context;
    this.blocks = new BlockBuilder(context.time);
    this.#head = context.state.head;
  }

  /** When it is made: the time of all its records. */
  get time(): number {
    return this.#context.time;
  }

  append(record: NewRecord): AppendOutcome {
    const draft = this.#draftOf(record.topic) ?? this.#createByPublish(record);
    if (typeof draft === 'string') return { kind: draft };
    const { publishBytesMax } = draft.entry.rule;
    const bytes = Buffer.byteLength(record.messageJson);
    if (bytes > publishBytesMax) return { kind: 'message_too_large', bytesMax: publishBytesMax };
    if (record.id === undefined) return this.#appended(record, bytes, draft, undefined);
    const hashes = { key: idKey(record), digest: digestOf(record) };
    const first = this.#ids.get(hashes.key) ?? this.#context.ids.get(hashes.key);
    if (first) {
      if (first.digest !== hashes.digest) return { kind: 'id_conflict' };
      const { sequence, time, stored } = first;
      return { kind: 'duplicate', sequence, time, stored };
    }
    if (this.#ids.size >= this.#context.ids.room) return { kind: 'ids_exhausted' };
    return this.#appended(record, bytes, draft, hashes);
  }

  create(topic: Topic, isDeclared: boolean): TopicCreation {
    const existing = this.#draftOf(topic);
    const draft = existing ?? this.#make(topic);
    if (!draft) return 'topics_exhausted';
    if (isDeclared && !draft.isDeclared) {
      this.#asked++;
      draft.isDeclared = true;
      draft.isToBeSaved = true;
    }
    return existing ? 'existed' : 'created';
  }

  delete(topic: Topic): boolean {
    const draft = this.#draftOf(topic);
    if (!draft) return false;
    this.#drafts.delete(topic);
    this.#deleted.set(draft.entry, draft);
    this.#growth--;
    this.#asked++;
    // What passed through it had the place of the newest stored record: nothing up to the head is proof of having had all.
    if (!keeps(draft.entry)) this.#deletions.push({ topic, sequence: this.#head + 1 });
    else if (draft.lastSequence > 0) this.#deletions.push({ topic, sequence: draft.lastSequence });
    return true;
  }

  /** Has a topic saved that is only in memory yet. */
  save(entry: TopicEntry): void {
    const draft = entry.isDeleted ? undefined : this.#draftOf(entry.name);
    if (draft) draft.isToBeSaved = true;
  }

  /** Whether it makes a topic, or deletes one. */
  changes(topic: Topic): boolean {
    if (this.#drafts.get(topic)?.isNew) return true;
    const entry = this.#context.topics.get(topic);
    return entry !== undefined && this.#deleted.has(entry);
  }

  /** How many topics more there are to be. */
  get growth(): number {
    return this.#growth;
  }

  /** How much there is that is not done before it is stored. */
  get weight(): number {
    return this.#head - this.#context.state.head + this.#asked;
  }

  /** What the store is to do when nothing more is to be planned. */
  commit(): PlannedCommit {
    const { blocks, chunks, ids } = this.blocks;
    return { state: this.#state(), blocks, chunks, ids, topics: this.#changedTopics() };
  }

  /**
   * The commit has succeeded: what was planned is so.
   *
   * @param isSaved - whether the topics were written
   * @returns the topics that were made, or deleted, or that messages came to
   */
  apply(isSaved: boolean): readonly TopicEntry[] {
    const { topics, ids } = this.#context;
    const changed: TopicEntry[] = [...this.#deleted.keys()];
    for (const draft of this.#deleted.values()) {
      const { entry, isNew } = draft;
      assign(entry, draft);
      if (!isNew) topics.delete(entry);
      else topics.add(Object.assign(entry, { isDeleted: true }));
      topics.noteDeletion(entry);
    }
    for (const draft of this.#drafts.values()) {
      const { entry, isNew } = draft;
      if (isNew || draft.count > entry.count) changed.push(entry);
      assign(entry, draft);
      if (isSaved && draft.isToBeSaved) entry.isSaved = true;
      if (isNew) topics.add(entry);
    }
    for (const chunk of this.blocks.chunks) {
      const entry = topics.at(chunk.topic);
      if (entry && !entry.oldest) entry.oldest = oldestOf(chunk);
    }
    for (const [key, remembered] of this.#ids) ids.set(key, remembered);
    return changed;
  }

  #state(): LogState {
    const { state, time, topics } = this.#context;
    return {
      epoch: state.epoch,
      head: this.#head,
      time,
      topicNumber: topics.highestNumber,
      deletions: withDeletions(state.deletions, this.#deletions),
    };
  }

  #changedTopics(): readonly TopicRecord[] {
    const changed: TopicRecord[] = [];
    for (const { entry, isToBeSaved, isDeclared } of this.#drafts.values()) {
      if (isToBeSaved) changed.push({ ...recordOf(entry), isDeclared });
    }
    for (const entry of this.#deleted.keys()) changed.push({ ...recordOf(entry), isDeleted: true });
    return changed;
  }

  #appended(record: NewRecord, bytes: number, draft: Draft, hashes: IdHashes | undefined): AppendOutcome {
    const { topic } = record;
    const { time, level } = this.#context;
    const isStored = keeps(draft.entry);
    draft.published++;
    draft.lastTime = time;
    // What is not stored takes no place in the log: it has that of the record before.
    if (isStored) this.#head++;
    const sequence = this.#head;
    const chunkRecord = chunkRecordOf(record, sequence);
    if (isStored) this.#store(chunkRecord, bytes, draft, hashes);
    const ordinal = isStored ? draft.count : 0;
    const stored = isStored ? level : 'none';
    if (hashes) this.#ids.set(hashes.key, { sequence, time, digest: hashes.digest, stored });
    this.records.push(logRecord(chunkRecord, topic, ordinal, time));
    return { kind: 'appended', sequence, time, stored };
  }

  #store(record: ChunkRecord, bytes: number, draft: Draft, hashes: IdHashes | undefined): void {
    const { sequence } = record;
    this.blocks.add(record, bytes, {
      topic: draft.entry.number,
      ordinal: ++draft.count,
      bytesBefore: draft.bytes,
    });
    if (hashes) this.blocks.addId({ ...hashes, sequence });
    draft.bytes += bytes;
    draft.lastSequence = sequence;
    draft.isToBeSaved ||= !draft.entry.isSaved;
  }

  #draftOf(topic: Topic): Draft | undefined {
    const known = this.#drafts.get(topic);
    if (known) return known;
    const entry = this.#context.topics.get(topic);
    return entry && !this.#deleted.has(entry) ? this.#draft(entry, false) : undefined;
  }

  #createByPublish({ topic, createsTopic }: NewRecord): Draft | 'topic_not_found' | 'topics_exhausted' {
    if (!createsTopic?.(topic) && this.#context.topics.ruleOf(topic).create !== 'publish')
      return 'topic_not_found';
    return this.#make(topic) ?? 'topics_exhausted';
  }

  #make(topic: Topic): Draft | undefined {
    const { topics, topicsMax } = this.#context;
    if (topics.size + this.#growth >= topicsMax) return undefined;
    this.#growth++;
    return this.#draft(topics.make(topic, this.#head), true);
  }

  #draft(entry: TopicEntry, isNew: boolean): Draft {
    const { isDeclared, count, bytes, lastSequence, published, lastTime } = entry;
    const grown = { isDeclared, count, bytes, lastSequence, published, lastTime };
    const draft = { entry, isNew, isToBeSaved: false, ...grown };
    this.#drafts.set(entry.name, draft);
    return draft;
  }
}

function assign(
  entry: TopicEntry,
  { isDeclared, count, bytes, lastSequence, published, lastTime }: Draft,
): void {
  entry.isDeclared = isDeclared;
  entry.count = count;
  entry.bytes = bytes;
  entry.lastSequence = lastSequence;
  entry.published = published;
  entry.lastTime = lastTime;
}

/** Without spreads: it is made for every message. */
function chunkRecordOf({ messageJson, id, publisher }: NewRecord, sequence: number): ChunkRecord {
  if (publisher !== undefined)
    return id === undefined ? { sequence, messageJson, publisher } : { sequence, messageJson, id, publisher };
  return id === undefined ? { sequence, messageJson } : { sequence, messageJson, id };
}
