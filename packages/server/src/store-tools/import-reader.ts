import {
  FanfareError,
  fieldsOf,
  messageDepthMax,
  parseId,
  parseTopic,
  refuseField,
  type Topic,
} from '@fanfare/protocol';
import type { Revocation } from '../log/topic-log.ts';
import { cutMember } from '../message-path/json-text.ts';
import { clockStepsMax } from '../log/local/effective-time.ts';
import { exportVersion } from './export-writer.ts';
import type { StoreCounts } from './verify.ts';
import type { Progress } from './store-scan.ts';

/** The input cannot be imported. The message names the line. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
}

export interface ImportOptions {
  /** The lines of an export, some at a time. */
  readonly lines: AsyncIterable<readonly string[]>;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  readonly onProgress?: (progress: Progress) => void;
}

/** A message of another log. */
export interface ImportedMessage {
  readonly topic: Topic;
  readonly messageJson: string;
  readonly time: number;
  readonly id?: string;
  readonly publisher?: string;
}

/** A new log that is filled with the messages of another one, which keep their times. */
export interface LogBuilder {
  readonly topics: number;
  /** Whether {@link commit} is due. */
  readonly isFull: boolean;
  addRevocations(revocations: readonly Revocation[]): void;
  addTopic(name: Topic, isDeclared: boolean): void;
  /** @returns false if the message was not added because the times have gone back too often */
  add(message: ImportedMessage): boolean;
  /** Stores what was added. MUST be called at the end, even if nothing was added. */
  commit(): Promise<void>;
}

/** Reads the lines of an export into a new log. */
export class ImportReader {
  readonly #importer: LogBuilder;
  readonly #options: ImportOptions;
  #line = 0;
  #messages = 0;
  #bytes = 0;
  #hasHeader = false;
  #hasEnd = false;

  constructor(importer: LogBuilder, options: ImportOptions) {
    this.#importer = importer;
    this.#options = options;
  }

  async run(): Promise<StoreCounts> {
    const { lines, onProgress } = this.#options;
    for await (const some of lines) {
      for (const line of some) {
        this.#line++;
        if (line.trim() !== '') this.#take(line);
        if (this.#importer.isFull) await this.#importer.commit();
      }
      onProgress?.({ messages: this.#messages, bytes: this.#bytes });
    }
    if (this.#line === 0) throw new ImportError('There is nothing to import: the input is empty.');
    if (this.#hasHeader && !this.#hasEnd)
      throw new ImportError(
        'The export is incomplete: its last line, {"end":true,…}, is missing. Export again.',
      );
    await this.#importer.commit();
    return { topics: this.#importer.topics, messages: this.#messages, bytes: this.#bytes, damages: 0 };
  }

  #take(line: string): void {
    try {
      this.#read(line);
    } catch (error) {
      if (error instanceof FanfareError || error instanceof SyntaxError) throw this.#refusal(error.message);
      throw error;
    }
  }

  #read(line: string): void {
    const field = fieldsOf(JSON.parse(line) as unknown, 'A line');
    if (this.#hasEnd) throw this.#refusal('it comes after the end of the export.');
    if (this.#line === 1 && field('fanfare') !== undefined) return this.#readHeader(field);
    if (field('end') === true && field('topic') === undefined) {
      this.#hasEnd = true;
      return;
    }
    const topic = parseTopic(field('topic'));
    const message = cutMember(line, 'message');
    const isDeclared = field('declared');
    if (message) this.#addMessage(field, message);
    else if (typeof isDeclared === 'boolean') this.#importer.addTopic(topic, isDeclared);
    else throw this.#refusal('it has no message.');
  }

  #readHeader(field: (name: string) => unknown): void {
    const version = field('fanfare');
    if (version !== exportVersion)
      throw this.#refusal(
        `the export has format ${String(version)}, and this version reads format ${exportVersion}.`,
      );
    this.#hasHeader = true;
    const revocations = field('revocations') ?? [];
    if (!isListOfRevocations(revocations))
      throw this.#refusal('its revocations are not in the format of an export.');
    this.#importer.addRevocations(revocations);
  }

  #addMessage(
    field: (name: string) => unknown,
    message: { readonly text: string; readonly depth: number },
  ): void {
    const time = field('time');
    if (!isTime(time)) throw this.#refusal('time must be a whole number of milliseconds since 1970.');
    if (message.depth > messageDepthMax)
      throw this.#refusal(`the message is nested too deeply (limit: ${messageDepthMax} levels).`);
    const id = parseId(field('id'));
    const publisher = parsePublisher(field('publisher'));
    const isAdded = this.#importer.add({
      topic: parseTopic(field('topic')),
      messageJson: message.text,
      time: time as number,
      ...(id !== undefined && { id }),
      ...(publisher !== undefined && { publisher }),
    });
    if (!isAdded)
      throw this.#refusal(
        `its time goes back, and times have gone back before (limit: ${clockStepsMax} times). Sort the lines by their times.`,
      );
    this.#messages++;
    this.#bytes += Buffer.byteLength(message.text);
  }

  #refusal(reason: string): ImportError {
    return new ImportError(`Line ${this.#line} cannot be imported: ${reason}`);
  }
}

/** @throws FanfareError. A subject has the same rules as an id */
function parsePublisher(input: unknown): string | undefined {
  try {
    return parseId(input);
  } catch {
    throw refuseField(
      'bad_request',
      'publisher',
      'publisher must be a string of 1 to 255 bytes without control characters.',
    );
  }
}

function isListOfRevocations(input: unknown): input is readonly Revocation[] {
  return (
    Array.isArray(input) &&
    input.every((revocation: unknown) => {
      const { subject, time, ahead } = Object(revocation) as Readonly<Record<string, unknown>>;
      return typeof subject === 'string' && isTime(time) && Array.isArray(ahead) && ahead.every(isTime);
    })
  );
}

function isTime(input: unknown): boolean {
  return Number.isSafeInteger(input) && (input as number) >= 0;
}
