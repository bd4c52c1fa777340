import { encodeEnvelope, formatOffset, matches, type Interest, type Topic } from '@fanfare/protocol';
import { LogTransfer, type LogPlace } from '../log/redis/log-transfer.ts';
import type { LogRecord } from '../log/topic-log.ts';
import { exportVersion } from './export.ts';
import type { Progress } from './store-scan.ts';
import type { StoreCounts } from './verify.ts';

export interface RedisExportOptions {
  /** Exports only the topics that match. */
  readonly interest?: Interest;
  readonly onProgress?: (progress: Progress) => void;
  /** Writes some lines, and resolves when more can be written. */
  readonly write: (lines: string) => Promise<void>;
}

/** How many characters are written at once. */
const charactersAtOnce = 262_144;

/**
 * Exports a log on Redis as lines of JSON, in the format of `exportStore`. Servers may use the log meanwhile:
 * the export has what is stored at its begin, except what they remove before it is read.
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
  #lines = '';
  #messages = 0;
  #bytes = 0;

  constructor(transfer: LogTransfer, options: RedisExportOptions) {
    this.#transfer = transfer;
    this.#options = options;
  }

  async run(): Promise<StoreCounts> {
    const { interest } = this.#options;
    const { epoch, head, revocations } = await this.#transfer.head();
    const topics = new Map<Topic, boolean>();
    for await (const { topic, isDeclared } of this.#transfer.topics())
      if (this.#isExported(topic)) topics.set(topic, isDeclared);
    const withRevocations = interest === undefined && revocations.length > 0;
    await this.#add(
      JSON.stringify({
        fanfare: exportVersion,
        epoch,
        head,
        topics: topics.size,
        ...(withRevocations && { revocations }),
      }),
    );
    for (const [topic, isDeclared] of topics)
      await this.#add(`{"topic":${JSON.stringify(topic)},"declared":${isDeclared}}`);
    await this.#addMessages(head);
    await this.#add(JSON.stringify({ end: true, messages: this.#messages }));
    await this.#flush();
    return { topics: topics.size, messages: this.#messages, bytes: this.#bytes, damages: 0 };
  }

  async #addMessages(head: number): Promise<void> {
    for (let after = 0; after < head;) {
      const { records, through, isComplete } = await this.#transfer.messages(after);
      for (const record of records)
        if (record.sequence <= head && this.#isExported(record.topic)) await this.#addMessage(record);
      this.#options.onProgress?.({ messages: this.#messages, bytes: this.#bytes, share: after / head });
      if (isComplete) return;
      after = through;
    }
  }

  async #addMessage({ topic, messageJson, time, id, publisher, epoch, sequence }: LogRecord): Promise<void> {
    this.#messages++;
    this.#bytes += Buffer.byteLength(messageJson);
    const message = {
      topic,
      messageJson,
      time,
      ...(id !== undefined && { id }),
      ...(publisher !== undefined && { publisher }),
    };
    await this.#add(encodeEnvelope(message, formatOffset({ epoch, sequence })));
  }

  #isExported(topic: Topic): boolean {
    const { interest } = this.#options;
    return interest === undefined || matches(interest, topic);
  }

  async #add(line: string): Promise<void> {
    this.#lines += `${line}\n`;
    if (this.#lines.length >= charactersAtOnce) await this.#flush();
  }

  async #flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = '';
    await this.#options.write(lines);
  }
}
