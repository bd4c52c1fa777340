import { encodeEnvelope, type EncodedMessage, type Topic } from '@fanfare/protocol';
import type { Revocation } from '../log/topic-log.ts';

/**
 * The value of `fanfare` in the first line of an export. It changes when older versions cannot read the
 * lines.
 */
export const exportVersion = 1;

/** What an export says of its log. Without an epoch and a head, the state of the log could not be read. */
export interface ExportedLog {
  readonly epoch: string | undefined;
  readonly head: number | undefined;
  /** The number of exported topics. */
  readonly topics: number;
  readonly revocations: readonly Revocation[];
}

/** How many characters are written at once. */
const charactersAtOnce = 262_144;

/**
 * Writes an export as lines of JSON. The first line is `{"fanfare":1,…}`. Then come one
 * `{"topic":…,"declared":…}` per topic, one envelope per message in the order of the log, and
 * `{"end":true,…}`.
 */
export class ExportWriter {
  readonly #write: (lines: string) => Promise<void>;
  #lines = '';
  #messages = 0;
  #bytes = 0;

  /** @param write - writes some lines, and resolves when more can be written */
  constructor(write: (lines: string) => Promise<void>) {
    this.#write = write;
  }

  /** The number of messages so far, and their size as JSON text in bytes. */
  get progress(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /** Earlier versions ignore the revocations. */
  begin({ revocations, ...log }: ExportedLog): void {
    this.#add(
      JSON.stringify({ fanfare: exportVersion, ...log, ...(revocations.length > 0 && { revocations }) }),
    );
  }

  addTopic(topic: Topic, isDeclared: boolean): void {
    this.#add(`{"topic":${JSON.stringify(topic)},"declared":${isDeclared}}`);
  }

  addMessage(message: EncodedMessage, offset: string | undefined): void {
    this.#add(encodeEnvelope(message, offset));
    this.#messages++;
    this.#bytes += Buffer.byteLength(message.messageJson);
  }

  async end(): Promise<void> {
    this.#add(JSON.stringify({ end: true, messages: this.#messages }));
    await this.#flush();
  }

  /** Writes what waits, if it is much. Must be called after each topic and after some messages. */
  async flushIfFull(): Promise<void> {
    if (this.#lines.length >= charactersAtOnce) await this.#flush();
  }

  #add(line: string): void {
    this.#lines += `${line}\n`;
  }

  async #flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = '';
    await this.#write(lines);
  }
}
