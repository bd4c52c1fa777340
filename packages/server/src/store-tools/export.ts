import { formatOffset, matches, type Interest, type Topic } from '@fanfare/protocol';
import { Pacer } from '../limits/pacer.ts';
import type { Chunk, ChunkRecord, LogState, Store, TopicNumber } from '../log/store/store.ts';
import { LogDamagedError } from '../log/topic-log.ts';
import { ExportWriter } from './export-writer.ts';
import { blocksOf } from './salvage.ts';
import type { StoreCounts } from './verify.ts';
import { readState, readTopics, scanChunks, type StoredTopics, type Watcher } from './store-scan.ts';

export interface ExportOptions extends Watcher {
  /** Exports only the topics that match. */
  readonly interest?: Interest;
  /** Writes some lines, and resolves when more can be written. */
  readonly write: (lines: string) => Promise<void>;
}

/** The topics of messages whose topic record is damaged begin with this segment. */
const lostAndFound = 'lost+found';

/** Exports a store in the format of {@link ExportWriter}. Damaged data is left out and reported. */
export async function exportStore(store: Store, options: ExportOptions): Promise<StoreCounts> {
  const exporter = new Exporter(store, options);
  await exporter.run();
  return exporter.counts;
}

class Exporter {
  readonly #store: Store;
  readonly #options: ExportOptions;
  readonly #watcher: Watcher;
  readonly #pacer = new Pacer();
  readonly #state: LogState | undefined;
  /** The exported topics. */
  readonly #names: ReadonlyMap<TopicNumber, Topic>;
  readonly #topics: StoredTopics;
  readonly #writer: ExportWriter;
  #damages = 0;

  constructor(store: Store, options: ExportOptions) {
    this.#store = store;
    this.#options = options;
    this.#writer = new ExportWriter(options.write);
    this.#watcher = {
      onDamage: (sentence) => {
        this.#damages++;
        options.onDamage(sentence);
      },
    };
    this.#state = readState(store, this.#watcher);
    this.#topics = readTopics(store, this.#state, this.#watcher);
    this.#names = namesOf(this.#topics, options.interest);
  }

  get counts(): StoreCounts {
    return { topics: this.#names.size, ...this.#writer.progress, damages: this.#damages };
  }

  async run(): Promise<void> {
    const writer = this.#writer;
    const { epoch, head, revocations = [] } = this.#state ?? {};
    // Revocations are part of an export of the whole store only.
    const isWhole = this.#options.interest === undefined;
    writer.begin({ epoch, head, topics: this.#names.size, revocations: isWhole ? revocations : [] });
    for (const [number, name] of this.#names) {
      const isDeclared = this.#topics.records.get(number)?.isDeclared ?? false;
      writer.addTopic(name, isDeclared);
      await writer.flushIfFull();
    }
    const last = head ?? Number.MAX_SAFE_INTEGER - 1;
    const walk = scanChunks(this.#store, [...this.#names.keys()], last, (topic, keys) => {
      this.#damage(
        `Messages of topic '${this.#names.get(topic)}' in ${blocksOf(keys)} are damaged, and left out.`,
      );
    });
    for (const { block, chunks } of walk) {
      this.#addChunks(chunks);
      await writer.flushIfFull();
      if (this.#pacer.isDue) {
        const share = head === undefined || head === 0 ? {} : { share: block / head };
        this.#options.onProgress?.({ ...writer.progress, ...share });
        await this.#pacer.yield();
      }
    }
    await writer.end();
  }

  #addChunks(chunks: readonly Chunk[]): void {
    const records = chunks.flatMap((chunk) => this.#recordsOf(chunk).map((record) => ({ chunk, record })));
    if (chunks.length > 1) records.sort((a, b) => a.record.sequence - b.record.sequence);
    const epoch = this.#state?.epoch;
    for (const { chunk, record } of records) {
      const { sequence, ...message } = record;
      const topic = this.#names.get(chunk.topic);
      if (topic === undefined) continue;
      const offset = epoch === undefined ? undefined : formatOffset({ epoch, sequence });
      this.#writer.addMessage({ topic, time: chunk.time, ...message }, offset);
    }
  }

  #recordsOf(chunk: Chunk): readonly ChunkRecord[] {
    try {
      return chunk.records;
    } catch (error) {
      if (!(error instanceof LogDamagedError)) throw error;
      this.#damage(
        `Messages of topic '${this.#names.get(chunk.topic)}' in block ${chunk.block} are damaged, and left out.`,
      );
      return [];
    }
  }

  #damage(sentence: string): void {
    this.#watcher.onDamage(sentence);
  }
}

/** The names of existing topics, and placeholders for topics whose record is lost. */
function namesOf(
  { records, damaged }: StoredTopics,
  interest: Interest | undefined,
): ReadonlyMap<TopicNumber, Topic> {
  const names = new Map<TopicNumber, Topic>();
  const add = (number: TopicNumber, name: Topic): void => {
    if (interest === undefined || matches(interest, name)) names.set(number, name);
  };
  for (const { number, name, isDeleted } of records.values()) if (!isDeleted) add(number, name);
  for (const number of damaged) add(number, `${lostAndFound}/${number}` as Topic);
  return names;
}
