import { formatOffset, matches, type Interest, type Topic } from '@fanfare/protocol';
import { LogTransfer, type LogPlace } from '../log/redis/log-transfer.ts';
import { ExportWriter } from './export-writer.ts';
import type { Progress } from './store-scan.ts';
import type { StoreCounts } from './verify.ts';

export interface RedisExportOptions {
  /** Exports only the topics that match. */
  readonly interest?: Interest;
  readonly onProgress?: (progress: Progress) => void;
  /** Writes some lines, and resolves when more can be written. */
  readonly write: (lines: string) => Promise<void>;
}

/**
 * Exports a log on Redis in the format of {@link ExportWriter}. Servers may use the log meanwhile: the export
 * has what Redis stored at its begin, except what they remove before it is read.
 *
 * @throws LogTransferError if there is no log; LogDamagedError, RedisRefusedError, LogUnwritableError
 */
export async function exportFromRedis(place: LogPlace, options: RedisExportOptions): Promise<StoreCounts> {
  const transfer = await LogTransfer.open(place);
  try {
    return await new RedisExporter(transfer, options).run();
  } finally {
    await transfer.close();
  }
}

class RedisExporter {
  readonly #transfer: LogTransfer;
  readonly #options: RedisExportOptions;
  readonly #writer: ExportWriter;

  constructor(transfer: LogTransfer, options: RedisExportOptions) {
    this.#transfer = transfer;
    this.#options = options;
    this.#writer = new ExportWriter(options.write);
  }

  async run(): Promise<StoreCounts> {
    const writer = this.#writer;
    const { epoch, head, revocations } = await this.#transfer.head();
    const topics = new Map<Topic, boolean>();
    for await (const { topic, isDeclared } of this.#transfer.topics())
      if (this.#isExported(topic)) topics.set(topic, isDeclared);
    // Revocations are part of an export of the whole log only.
    const isWhole = this.#options.interest === undefined;
    writer.begin({ epoch, head, topics: topics.size, revocations: isWhole ? revocations : [] });
    for (const [topic, isDeclared] of topics) {
      writer.addTopic(topic, isDeclared);
      await writer.flushIfFull();
    }
    await this.#addMessages(head);
    await writer.end();
    return { topics: topics.size, ...writer.progress, damages: 0 };
  }

  async #addMessages(head: number): Promise<void> {
    for (let after = 0; after < head;) {
      const { records, through, isComplete } = await this.#transfer.messages(after);
      for (const record of records) {
        if (record.sequence > head || !this.#isExported(record.topic)) continue;
        this.#writer.addMessage(record, formatOffset(record));
        await this.#writer.flushIfFull();
      }
      this.#options.onProgress?.({ ...this.#writer.progress, share: after / head });
      if (isComplete) return;
      after = through;
    }
  }

  #isExported(topic: Topic): boolean {
    const { interest } = this.#options;
    return interest === undefined || matches(interest, topic);
  }
}
