import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { DataDirectoryError, giveToOwner, messageOf } from '../directory/data-directory.ts';
import type { ProcessName } from './process-liveness.ts';
import { SpareFileDescriptor } from './spare-file-descriptor.ts';

/** The owner of a data directory. */
export interface Owner extends ProcessName {
  /** Unique for each time that a directory is locked. It is in the name of the owner's socket too. */
  readonly id: string;
  /** The directory and the data file, by device and inode. It is different in a copy. */
  readonly place: string;
}

/** The content of the note next to a data file. */
export interface OwnerNote {
  readonly owner: Owner;
  /** The {@link fingerprintOf} the data file, if the owner has released the directory. */
  readonly left?: string;
}

/** The result of a renewal: the counter is higher, or the note names another owner. */
export type Renewal = 'renewed' | { readonly other: Owner };

const counterDigits = 16;
const leftWord = 'left ';

/**
 * The note next to a data file, which names the owner of the directory. It has a line of JSON, a counter, and
 * a fingerprint after the release.
 *
 * Other machines read it. So every read opens the file anew, because only then network file systems show the
 * writes of others. Locking the directory replaces the whole file; the counter is written in place. So an
 * owner that was suspended in between writes into a file that is not read any more, and never into the note
 * of the next owner.
 */
export class OwnerFile {
  readonly #path: string;
  /** This process. */
  owner: Owner;
  #count = 0;
  /** Without it, many connections could use up the file descriptors and stop the renewals. */
  readonly #spare = new SpareFileDescriptor();

  constructor(path: string, owner: Owner) {
    this.#path = path;
    this.owner = owner;
  }

  /**
   * Returns the text, to see whether it changes; undefined if there is no file.
   *
   * @throws DataDirectoryError if it cannot be read
   */
  async read(): Promise<string | undefined> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new DataDirectoryError(
        `Cannot tell whether the data directory '${dirname(this.#path)}' is in use: ${messageOf(error)}. ` +
          'Start the server as the user who owns the directory and all files in it.',
        { cause: error },
      );
    }
  }

  /** Writes our note. */
  async claim(): Promise<void> {
    this.#spare.hold();
    const text = this.#head + this.#counter;
    const draft = `${this.#path}-${randomUUID()}`;
    try {
      await writeFile(draft, text, { mode: 0o600, flush: true });
      await giveToOwner(dirname(draft), basename(draft));
      await rename(draft, this.#path);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      if (!isFull(error) || (await this.read()) === undefined) throw error;
      // A full disk cannot take a new file, but the existing one can be overwritten.
      await overwrite(this.#path, text);
    }
  }

  /** Raises the counter in our note. Writes the note anew if it was deleted or damaged. */
  async renew(): Promise<Renewal> {
    this.#count++;
    try {
      return await this.#write(this.#counter);
    } catch (error) {
      if (!isOutOfDescriptors(error)) throw error;
      return this.#spare.use(() => this.#writeAtOnce(this.#counter));
    }
  }

  /** The renewals have ended. */
  releaseSpare(): void {
    this.#spare.release();
  }

  /** Writes into our note that the directory is free. */
  async leave(left: string): Promise<void> {
    await this.#write(`${this.#counter}${leftWord}${left}\n`);
  }

  get #head(): string {
    return `${JSON.stringify(this.owner)}\n`;
  }

  get #counter(): string {
    return `${String(this.#count).padStart(counterDigits, '0')}\n`;
  }

  /** Writes everything after the first line in one write, which is too short to be torn by a disk. */
  async #write(text: string): Promise<Renewal> {
    const file = await open(this.#path, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (!file) {
      await writeFile(this.#path, this.#head + text, { flag: 'wx', mode: 0o600 });
      return 'renewed';
    }
    try {
      const place = this.#placeIn(await file.readFile('utf8'));
      if (typeof place === 'object') return place;
      if (place !== undefined) {
        await file.write(text, place);
        return 'renewed';
      }
    } finally {
      await file.close();
    }
    await this.claim();
    return 'renewed';
  }

  /** Like {@link #write}, for an existing note. */
  #writeAtOnce(text: string): Renewal {
    const file = openSync(this.#path, 'r+');
    try {
      const place = this.#placeIn(readFileSync(file, 'utf8'));
      if (typeof place === 'object') return place;
      if (place === undefined) throw new Error('it is damaged');
      writeSync(file, text, place);
      return 'renewed';
    } finally {
      closeSync(file);
    }
  }

  /** The offset of the counter in our note, or the other owner. Undefined if the note is damaged. */
  #placeIn(note: string): number | { readonly other: Owner } | undefined {
    const owner = parseNote(note)?.owner;
    if (!owner) return undefined;
    if (owner.id !== this.owner.id) return { other: owner };
    return Buffer.byteLength(note.slice(0, note.indexOf('\n') + 1));
  }
}

/** Undefined if the text is not a note. */
export function parseNote(text: string): OwnerNote | undefined {
  const [head = '', , left = ''] = text.split('\n');
  const owner = parseOwner(head);
  return owner && { owner, ...(left.startsWith(leftWord) && { left: left.slice(leftWord.length) }) };
}

/** Undefined if the text does not describe an owner. */
export function parseOwner(text: string): Owner | undefined {
  let value: Partial<Record<keyof Owner, unknown>>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  const { id, place, pid, host } = value ?? {};
  const isOwner =
    typeof id === 'string' && typeof place === 'string' && typeof host === 'string' && Number.isInteger(pid);
  return isOwner ? (value as Owner) : undefined;
}

async function overwrite(path: string, text: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { bytesWritten } = await file.write(text, 0);
    await file.truncate(bytesWritten);
  } finally {
    await file.close();
  }
}

function isOutOfDescriptors(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EMFILE' || code === 'ENFILE';
}

function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
