import type { Topic } from '@fanfare/protocol';
import { encodeRuns } from '../log/redis/batch-codec.ts';
import { LogTransfer, type ExportedTopic, type LogPlace } from '../log/redis/log-transfer.ts';
import type { Argument } from '../log/redis/library.ts';
import type { Revocation } from '../log/topic-log.ts';
import type { Rule } from '../rules/rule.ts';
import { ImportReader, type ImportedMessage, type ImportOptions, type LogBuilder } from './import-reader.ts';
import type { StoreCounts } from './verify.ts';

export interface RedisImportOptions extends ImportOptions {
  /** For how long ids are remembered, in milliseconds. Older ones of the export do not count any more. */
  readonly idWindowMs: number;
}

interface AddedMessage extends ImportedMessage {
  readonly subject?: string;
  /** Whether its id is remembered. */
  readonly isRemembered: boolean;
}

/** Redis adds so much in some milliseconds, even if each message has a time of its own. */
const messagesPerCommit = 64;
const bytesPerCommit = 524_288;

/** The rules of a server apply to a topic from its next message on. */
const keepAll: Rule = {
  match: '**' as Topic,
  keep: { count: Infinity, ageMs: Infinity, bytes: Infinity },
  create: 'publish',
  publishBytesMax: Infinity,
};

/**
 * Creates a log on Redis from an export, under a prefix without one. Servers refuse to use the log before
 * this resolves. If it rejects, nothing is left.
 *
 * @throws ImportError, LogTransferError, RedisRefusedError, LogUnwritableError
 */
export async function importToRedis(place: LogPlace, options: RedisImportOptions): Promise<StoreCounts> {
  const transfer = await LogTransfer.open(place);
  try {
    await transfer.begin(options.idWindowMs);
    try {
      const builder = new RedisBuilder(transfer, options.now() - options.idWindowMs);
      const counts = await new ImportReader(builder, options).run();
      await builder.end();
      return counts;
    } catch (error) {
      // The next import drops it, if this one cannot.
      await transfer.drop().catch(() => {});
      throw error;
    }
  } finally {
    await transfer.close();
  }
}

/** Fills a new log on Redis. */
class RedisBuilder implements LogBuilder {
  readonly #transfer: LogTransfer;
  /** Ids of messages before this time are not remembered. */
  readonly #idsSince: number;
  readonly #names = new Set<Topic>();
  /** The remembered ids: only the first message with an id counts. */
  readonly #ids = new Set<string>();
  #newTopics: ExportedTopic[] = [];
  #messages: AddedMessage[] = [];
  #bytes = 0;
  #head = 0;
  #revocations: readonly Revocation[] = [];

  constructor(transfer: LogTransfer, idsSince: number) {
    this.#transfer = transfer;
    this.#idsSince = idsSince;
  }

  get topics(): number {
    return this.#names.size;
  }

  get isFull(): boolean {
    return (
      this.#messages.length >= messagesPerCommit ||
      this.#bytes >= bytesPerCommit ||
      this.#newTopics.length >= messagesPerCommit
    );
  }

  addRevocations(revocations: readonly Revocation[]): void {
    this.#revocations = revocations;
  }

  addTopic(topic: Topic, isDeclared: boolean): void {
    if (this.#names.has(topic)) return;
    this.#names.add(topic);
    this.#newTopics.push({ topic, isDeclared });
  }

  add(message: ImportedMessage): boolean {
    this.addTopic(message.topic, false);
    // An id belongs to the subject, as far as it is known.
    const { publisher: subject } = message;
    const isRemembered = this.#noteId(message);
    this.#messages.push({ ...message, ...(subject !== undefined && { subject }), isRemembered });
    this.#bytes += Buffer.byteLength(message.messageJson);
    return true;
  }

  async commit(): Promise<void> {
    const [topics, messages] = [this.#newTopics, this.#messages];
    this.#newTopics = [];
    this.#messages = [];
    this.#bytes = 0;
    if (topics.length > 0) await this.#transfer.addTopics(topics);
    if (messages.length === 0) return;
    await this.#transfer.addMessages(this.#head, batchesOf(messages));
    this.#head += messages.length;
  }

  async end(): Promise<void> {
    await this.#transfer.end(this.#head, this.#revocations);
  }

  /** @returns whether the id is to be remembered for this message */
  #noteId({ topic, id, publisher, time }: ImportedMessage): boolean {
    if (id === undefined || time < this.#idsSince) return false;
    const key = JSON.stringify([topic, id, publisher]);
    if (this.#ids.has(key)) return false;
    this.#ids.add(key);
    return true;
  }
}

/** Messages that follow each other with the same time are one batch. */
function batchesOf(
  messages: readonly AddedMessage[],
): readonly { readonly time: number; readonly runs: readonly Argument[] }[] {
  const batches: { time: number; runs: readonly Argument[] }[] = [];
  for (let start = 0; start < messages.length;) {
    const { time } = messages[start] as AddedMessage;
    let end = start + 1;
    while (messages[end]?.time === time) end++;
    const records = messages.slice(start, end);
    batches.push({
      time,
      runs: encodeRuns(
        records,
        () => keepAll,
        ({ isRemembered }) => isRemembered,
      ),
    });
    start = end;
  }
  return batches;
}
