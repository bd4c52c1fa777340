import { encodeEnvelope, formatOffset, matches, type Interest, type Topic } from '@fanfare/protocol';
import { Pacer } from '../limits/pacer.ts';
import type { Chunk, ChunkRecord, LogState, Store, TopicNumber } from '../log/store/store.ts';
import { LogDamagedError } from '../log/topic-log.ts';
import { blocksOf } from './salvage.ts';
import type { StoreCounts } from './verify.ts';
import { readState, readTopics, scanChunks, type StoredTopics, type Watcher } from './store-scan.ts';

/**
 * The value of `fanfare` in the first line of an export. It changes when older versions cannot read the
 * lines.
 */
export const exportVersion = 1;

export interface ExportOptions extends Watcher {
  /** Exports only the topics that match. */
  readonly interest?: Interest;
  /** Writes some lines, and resolves when more can be written. */
  readonly write: (lines: string) => Promise<void>;
}

/** How many characters are written at once. */
const charactersAtOnce = 262_144;

/** The topics of messages whose topic record is damaged begin with this segment. */
const lostAndFound = 'lost+found';

/**
 * Exports a store as lines of JSON, in the order of the log. The first line is `{"fanfare":1,…}`. Then come
 * one `{"topic":…,"declared":…}` per topic, one envelope per message, and `{"end":true,…}`. Damaged data is
 * left out and reported.
 */
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
  #lines = '';
  #messages = 0;
  #bytes = 0;
  #damages = 0;

  constructor(store: Store, options: ExportOptions) {
    this.#store = store;
    this.#options = options;
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
    return { topics: this.#names.size, messages: this.#messages, bytes: this.#bytes, damages: this.#damages };
  }

  async run(): Promise<void> {
    const { epoch, head } = this.#state ?? {};
    this.#add(
      JSON.stringify({
        fanfare: exportVersion,
        epoch,
        head,
        topics: this.#names.size,
        ...this.#revocations(),
      }),
    );
    for (const [number, name] of this.#names) {
      const isDeclared = this.#topics.records.get(number)?.isDeclared ?? false;
      this.#add(`{"topic":${JSON.stringify(name)},"declared":${isDeclared}}`);
      if (this.#lines.length >= charactersAtOnce) await this.#flush();
    }
    const last = head ?? Number.MAX_SAFE_INTEGER - 1;
    const walk = scanChunks(this.#store, [...this.#names.keys()], last, (topic, keys) => {
      this.#damage(
        `Messages of topic '${this.#names.get(topic)}' in ${blocksOf(keys)} are damaged, and left out.`,
      );
    });
    for (const { block, chunks } of walk) {
      this.#addChunks(chunks);
      if (this.#lines.length >= charactersAtOnce) await this.#flush();
      if (this.#pacer.isDue) {
        const share = head === undefined || head === 0 ? {} : { share: block / head };
        this.#options.onProgress?.({ messages: this.#messages, bytes: this.#bytes, ...share });
        await this.#pacer.yield();
      }
    }
    this.#add(JSON.stringify({ end: true, messages: this.#messages }));
    await this.#flush();
  }

  /** Revocations are part of an export of the whole store only. Earlier versions ignore them. */
  #revocations(): Partial<Pick<LogState, 'revocations'>> {
    const { revocations = [] } = this.#state ?? {};
    return this.#options.interest === undefined && revocations.length > 0 ? { revocations } : {};
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
      this.#add(encodeEnvelope({ topic, time: chunk.time, ...message }, offset));
      this.#messages++;
      this.#bytes += Buffer.byteLength(message.messageJson);
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

  #add(line: string): void {
    this.#lines += `${line}\n`;
  }

  async #flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = '';
    await this.#options.write(lines);
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
