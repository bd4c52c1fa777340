import type { Topic } from '@fanfare/protocol';
import { BlockBuilder } from '../log/local/commit/block-builder.ts';
import { clockStepsMax, withClockStep } from '../log/local/effective-time.ts';
import { noDeletions } from '../log/local/deletions.ts';
import { digestOf, idKey } from '../log/local/remembered-ids.ts';
import type { LogState, Store, TopicRecord } from '../log/store/store.ts';
import type { ImportedMessage, LogBuilder } from './import-reader.ts';

export interface StoreBuilderOptions {
  /** The epoch of the new log. */
  readonly epoch: string;
  /** The time of the clock. */
  readonly now: number;
  /** Ids of messages before this time are not stored: they do not count any more. */
  readonly idsSince: number;
}

/** The limits of one commit. */
const recordsPerCommit = 4_096;
const bytesPerCommit = 4_194_304;

interface ImportedTopic {
  readonly record: TopicRecord;
  count: number;
  bytes: number;
}

/** Fills an empty store with messages, which keep their times. No log may use the store meanwhile. */
export class StoreBuilder implements LogBuilder {
  readonly #store: Store;
  readonly #options: StoreBuilderOptions;
  readonly #topics = new Map<Topic, ImportedTopic>();
  /** The builders of the next commit, one for each time. */
  #builders: BlockBuilder[] = [];
  #newTopics: TopicRecord[] = [];
  #records = 0;
  #bytes = 0;
  #head = 0;
  #time = 0;
  #clockSteps: LogState['clockSteps'] = [];
  #revocations: LogState['revocations'] = [];

  /** @param store - MUST be empty */
  constructor(store: Store, options: StoreBuilderOptions) {
    this.#store = store;
    this.#options = options;
  }

  get topics(): number {
    return this.#topics.size;
  }

  /** Whether {@link commit} is due. */
  get isFull(): boolean {
    return this.#records >= recordsPerCommit || this.#bytes >= bytesPerCommit;
  }

  addRevocations(revocations: LogState['revocations']): void {
    this.#revocations = revocations;
  }

  addTopic(name: Topic, isDeclared: boolean): void {
    if (!this.#topics.has(name)) this.#make(name, isDeclared);
  }

  /** @returns false if the message was not added because the times have gone back too often */
  add({ topic: name, messageJson, time, id, publisher }: ImportedMessage): boolean {
    if (time < this.#time && !this.#stepBack(time)) return false;
    const topic = this.#topics.get(name) ?? this.#make(name, false);
    const bytes = Buffer.byteLength(messageJson);
    const sequence = ++this.#head;
    const builder = this.#builderAt(time);
    const record = {
      sequence,
      messageJson,
      ...(id !== undefined && { id }),
      ...(publisher !== undefined && { publisher }),
    };
    builder.add(record, bytes, {
      topic: topic.record.number,
      ordinal: ++topic.count,
      bytesBefore: topic.bytes,
    });
    if (id !== undefined && time >= this.#options.idsSince) {
      const hashed = { topic: name, messageJson, id, ...(publisher !== undefined && { subject: publisher }) };
      builder.addId({ key: idKey(hashed), digest: digestOf(hashed), sequence });
    }
    topic.bytes += bytes;
    this.#records++;
    this.#bytes += bytes;
    return true;
  }

  /** Stores what was added. MUST be called at the end, even if nothing was added. */
  async commit(): Promise<void> {
    const builders = this.#builders;
    const topics = this.#newTopics;
    this.#builders = [];
    this.#newTopics = [];
    this.#records = 0;
    this.#bytes = 0;
    await this.#store.commit({
      state: {
        epoch: this.#options.epoch,
        head: this.#head,
        time: this.#time,
        trustedTime: this.#options.now,
        clockSteps: this.#clockSteps,
        topicNumber: this.#topics.size,
        deletions: noDeletions,
        revocations: this.#revocations,
      },
      blocks: builders.flatMap(({ blocks }) => blocks),
      chunks: builders.flatMap(({ chunks }) => chunks),
      ids: builders.flatMap(({ ids }) => ids),
      topics,
      removedTopics: [],
      removedChunks: [],
      removedBlocks: [],
      removedIds: [],
    });
  }

  #stepBack(time: number): boolean {
    if (this.#clockSteps.length >= clockStepsMax) return false;
    this.#clockSteps = withClockStep(this.#clockSteps, {
      sequence: this.#head + 1,
      before: this.#time,
      after: time,
    });
    return true;
  }

  #builderAt(time: number): BlockBuilder {
    const last = this.#builders.at(-1);
    if (last && time === this.#time) return last;
    this.#time = time;
    const builder = new BlockBuilder(time);
    this.#builders.push(builder);
    return builder;
  }

  #make(name: Topic, isDeclared: boolean): ImportedTopic {
    const record = {
      number: this.#topics.size + 1,
      name,
      isDeclared,
      isDeleted: false,
      createdAt: this.#head,
      keeps: true,
      gone: { sequence: 0, ordinal: 0, bytes: 0 },
    };
    const topic = { record, count: 0, bytes: 0 };
    this.#topics.set(name, topic);
    this.#newTopics.push(record);
    this.#records++;
    return topic;
  }
}
