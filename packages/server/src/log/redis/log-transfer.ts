import { randomBytes } from 'node:crypto';
import type { Topic } from '@fanfare/protocol';
import { LogDamagedError, LogUnwritableError, type LogRecord, type Revocation } from '../topic-log.ts';
import { CommandConnection } from './command-connection.ts';
import { errorOf } from './function-errors.ts';
import type { Argument } from './library.ts';
import { transferLibraryName, transferSource, type TransferFunctionName } from './lua/library-source.ts';
import { openLink } from './redis-link.ts';
import type { RedisServers } from './redis-url.ts';
import { listOf, numberOf, Reply, textOf } from './replies.ts';
import { decodeRevocations, encodeTimes } from './revocation-codec.ts';

/** The log cannot be exported or imported. */
export class LogTransferError extends LogUnwritableError {}

export interface LogPlace {
  readonly servers: RedisServers;
  /** What all keys of the log begin with, with a hash tag: `{fanfare}:`. */
  readonly prefix: string;
}

/** A part of an export. */
export interface ExportedPart {
  readonly records: readonly LogRecord[];
  /** The place up to which these are all stored records. */
  readonly through: number;
  readonly isComplete: boolean;
}

export interface ExportedTopic {
  readonly topic: Topic;
  readonly isDeclared: boolean;
}

/** Reading so much takes Redis some milliseconds. */
const messagesPerPart = 512;
const bytesPerPart = 524_288;
const topicsPerPart = 500;

/** Exports and imports a whole log on Redis, over one connection. */
export class LogTransfer {
  readonly #commands: CommandConnection;
  /** The token of the import. */
  readonly #import: string = randomBytes(15).toString('base64url');
  readonly #prefix: string;

  /** @throws RedisRefusedError; LogUnreachableError if Redis does not answer for 10 s */
  static async open(place: LogPlace): Promise<LogTransfer> {
    const transfer = new LogTransfer(place);
    try {
      await transfer.#commands.start();
    } catch (error) {
      await transfer.close();
      throw error;
    }
    return transfer;
  }

  private constructor({ servers, prefix }: LogPlace) {
    this.#prefix = prefix;
    this.#commands = new CommandConnection({
      servers,
      replicas: 0,
      code: transferSource,
      key: prefix,
      open: openLink,
      // In a cluster, the answer names the node that has the log.
      greet: async () => void (await this.#commands.call(`${transferLibraryName}_probe`, [])),
      onUp: () => {},
      onDown: () => {},
      onTrouble: () => {},
      random: Math.random,
    });
  }

  close(): Promise<void> {
    return this.#commands.close();
  }

  /**
   * Begins a log, and drops what an unfinished import has left.
   *
   * @param idsForMs - for how long ids are remembered
   * @throws LogTransferError if there is a log already
   */
  async begin(idsForMs: number): Promise<void> {
    while ((await this.#ask('import_begin', this.#import, idsForMs)).number() === 1) await this.drop();
  }

  /** @param topics - some hundred at most: Redis does nothing else meanwhile */
  async addTopics(topics: readonly ExportedTopic[]): Promise<void> {
    const args = topics.flatMap(({ topic, isDeclared }) => [topic, isDeclared ? '1' : '0']);
    await this.#ask('import_topics', this.#import, ...args);
  }

  /**
   * @param headBefore - the number of messages that were added before
   * @param batches - of messages with the same time each, as the functions take them
   */
  async addMessages(
    headBefore: number,
    batches: readonly { readonly time: number; readonly runs: readonly Argument[] }[],
  ): Promise<void> {
    const args = batches.flatMap(({ time, runs }) => [time, runs.length, ...runs]);
    await this.#ask('import_messages', this.#import, headBefore, ...args);
  }

  /** From now on, servers can use the log. @param head - the number of messages */
  async end(head: number, revocations: readonly Revocation[]): Promise<void> {
    const args = revocations.flatMap((revocation) => [revocation.subject, encodeTimes(revocation)]);
    await this.#ask('import_end', this.#import, head, ...args);
  }

  /** Removes everything that was imported. */
  async drop(): Promise<void> {
    while ((await this.#ask('import_drop', this.#import)).number() === 1);
  }

  /** @returns the epoch and the head of the log, and its revocations */
  async head(): Promise<{ epoch: string; head: number; revocations: readonly Revocation[] }> {
    const reply = await this.#ask('export_revocations');
    const { epoch, head } = reply.state;
    return { epoch, head, revocations: decodeRevocations(reply.list()) };
  }

  /** All topics, in the order of their names. */
  async *topics(): AsyncGenerator<ExportedTopic, void, undefined> {
    let after = '';
    for (let isEnd = false; !isEnd;) {
      const reply = await this.#ask('export_topics', after, topicsPerPart);
      isEnd = reply.number() === 1;
      for (const each of reply.list()) {
        const [name, isDeclared] = listOf(each);
        after = textOf(name);
        yield { topic: after as Topic, isDeclared: numberOf(isDeclared) === 1 };
      }
    }
  }

  /** The messages after a place. */
  async messages(after: number): Promise<ExportedPart> {
    const reply = await this.#ask('export_messages', after, messagesPerPart, bytesPerPart);
    const through = reply.number();
    const isComplete = reply.number() === 1;
    return { records: reply.records(), through, isComplete };
  }

  async #ask(name: TransferFunctionName, ...args: readonly Argument[]): Promise<Reply> {
    try {
      return new Reply(await this.#commands.call(`${transferLibraryName}_${name}`, args));
    } catch (error) {
      throw this.#errorOf(error);
    }
  }

  #errorOf(error: unknown): unknown {
    const known = errorOf(error);
    if (!(known instanceof Error) || known instanceof LogDamagedError) return known;
    const where = `under the prefix '${this.#prefix}'`;
    if (known.message.includes('FANFAREEXISTS'))
      return new LogTransferError(
        `There is a log ${where} already, and an import creates a new one. Name another prefix with --redis-prefix.`,
      );
    if (known.message.includes('FANFARENONE')) return new LogTransferError(`There is no log ${where}.`);
    return known;
  }
}
