import { randomBytes } from 'node:crypto';
import { link, mkdtemp, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FanfareError, fieldsOf, messageDepthMax, parseId, parseTopic, refuseField } from '@fanfare/protocol';
import { DataDirectoryError, makeDirectory, syncDirectory } from '../log/store/directory/data-directory.ts';
import { dataFile } from '../log/store/directory/file-names.ts';
import { openLmdbStore } from '../log/store/lmdb/lmdb-store.ts';
import type { Revocation } from '../log/topic-log.ts';
import { cutMember } from '../message-path/json-text.ts';
import { clockStepsMax } from '../log/local/effective-time.ts';
import { exportVersion } from './export.ts';
import { StoreBuilder } from './store-builder.ts';
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

/** The maximum of the setting `idWindow`. */
const idWindowMsMax = 604_800_000;

/**
 * Creates a log from an export, in a directory without one. The log exists completely after this resolves,
 * and not at all before.
 *
 * @throws ImportError, DataDirectoryError
 */
export async function importStore(directory: string, options: ImportOptions): Promise<StoreCounts> {
  const isNew = await isAbsent(directory);
  await makeEmptyDirectory(directory);
  const staging = await mkdtemp(join(directory, 'import-'));
  try {
    const store = await openLmdbStore(staging, { allowNetworkStorage: true });
    const now = options.now();
    const importer = new StoreBuilder(store, {
      epoch: randomBytes(8).toString('base64url'),
      now,
      idsSince: now - idWindowMsMax,
    });
    let counts: StoreCounts;
    try {
      counts = await new ImportReader(importer, options).run();
    } finally {
      await store.close();
    }
    await moveInto(directory, staging);
    await rm(staging, { recursive: true, force: true });
    return counts;
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (isNew) await rmdir(directory).catch(() => {});
    throw error;
  }
}

async function isAbsent(directory: string): Promise<boolean> {
  return stat(directory).then(
    () => false,
    () => true,
  );
}

/** @throws DataDirectoryError if the directory is not empty */
async function makeEmptyDirectory(directory: string): Promise<void> {
  let entries: readonly string[];
  try {
    await makeDirectory(directory);
    entries = await readdir(directory);
  } catch (error) {
    throw new DataDirectoryError(
      `The directory '${directory}' cannot be used: ${(error as Error).message}. Name a directory that can be created.`,
      { cause: error },
    );
  }
  if (entries.includes(dataFile)) throw hasLog(directory);
  const other = entries.find((name) => name !== 'lost+found');
  if (other === undefined) return;
  throw new DataDirectoryError(
    `The directory '${directory}' is not empty: it has '${other}'. An import creates a new log. Name an empty or a new directory.`,
  );
}

function hasLog(directory: string): DataDirectoryError {
  return new DataDirectoryError(
    `The directory '${directory}' already has a log, and an import creates a new one. Name an empty or a new directory.`,
  );
}

/** Moves the data file in one step, and never over an existing log. */
async function moveInto(directory: string, staging: string): Promise<void> {
  const [from, to] = [join(staging, dataFile), join(directory, dataFile)];
  try {
    await link(from, to);
    // A server refuses a data file with two names.
    await rm(from);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw hasLog(directory);
    // Some file systems have no hard links.
    await rename(from, to);
  }
  await syncDirectory(directory);
}

/** Reads the lines of an export into a store. */
class ImportReader {
  readonly #importer: StoreBuilder;
  readonly #options: ImportOptions;
  #line = 0;
  #messages = 0;
  #bytes = 0;
  #hasHeader = false;
  #hasEnd = false;

  constructor(importer: StoreBuilder, options: ImportOptions) {
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
