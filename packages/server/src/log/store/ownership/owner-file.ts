import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { DataDirectoryError, giveToOwner, messageOf } from '../directory/data-directory.ts';
import type { ProcessName } from './process-liveness.ts';
import { SpareFileDescriptor } from './spare-file-descriptor.ts';

/** Who has a data directory. */
export interface Owner extends ProcessName {
  /** A new one each time that a directory is taken. It names the owner's socket, too. */
  readonly id: string;
  /** The directory and the data file, by device and inode: in a copy it is another one. */
  readonly place: string;
}

/** What the note beside a data file says. */
export interface OwnerNote {
  readonly owner: Owner;
  /** There once the owner has let go of the directory: what it left, as {@link fingerprintOf} has it. */
  readonly left?: string;
}

/** What came of raising the counter: it is higher, or the note names somebody else. */
export type Renewal = 'renewed' | { readonly other: Owner };

const counterDigits = 16;
const leftWord = 'left ';

/**
 * The note beside a data file that says who has the directory: a line of JSON, a counter, and what was left at the end.
 *
 * Other machines read it, so it is opened anew for each look: network file systems show then what others wrote. To
 * take the directory the note is replaced as a whole; the counter is written in place. An owner that was stopped in
 * between writes into a file that nobody reads any more, and never over the note of the next one.
 */
export class OwnerFile {
  readonly #path: string;
  /** Who we are. */
  owner: Owner;
  #count = 0;
  /** Without it, whoever opens many connections could keep the counter from being raised. */
  readonly #spare = new SpareFileDescriptor();

  constructor(path: string, owner: Owner) {
    this.#path = path;
    this.owner = owner;
  }

  /**
   * The text as it is, to see whether it changes; undefined when there is none.
   *
   * @throws DataDirectoryError when it cannot be read
   */
  async read(): Promise<string | undefined> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new DataDirectoryError(
        `It cannot be told whether the data directory '${dirname(this.#path)}' is in use: ${messageOf(error)}. ` +
          'Start the server as the user who owns the directory and all files in it.',
        { cause: error },
      );
    }
  }

  /** Makes the note say that we have the directory. */
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
      // A full disk has no room for a new file, but the one that is there can be written.
      await overwrite(this.#path, text);
    }
  }

  /** Raises the counter of our note. Makes the note anew when somebody has removed or damaged it. */
  async renew(): Promise<Renewal> {
    this.#count++;
    try {
      return await this.#write(this.#counter);
    } catch (error) {
      if (!isOutOfDescriptors(error)) throw error;
      return this.#spare.use(() => this.#writeAtOnce(this.#counter));
    }
  }

  /** The counter is not raised any more. */
  releaseSpare(): void {
    this.#spare.release();
  }

  /** Says in our note that the directory is free. */
  async leave(left: string): Promise<void> {
    await this.#write(`${this.#counter}${leftWord}${left}\n`);
  }

  get #head(): string {
    return `${JSON.stringify(this.owner)}\n`;
  }

  get #counter(): string {
    return `${String(this.#count).padStart(counterDigits, '0')}\n`;
  }

  /** Writes what comes after the first line, in one write that is too short for a disk to tear it. */
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

  /** As {@link #write}, where the note is there. */
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

  /** Where the counter of our note is, or whose note it is. Undefined when it is damaged. */
  #placeIn(note: string): number | { readonly other: Owner } | undefined {
    const owner = parseNote(note)?.owner;
    if (!owner) return undefined;
    if (owner.id !== this.owner.id) return { other: owner };
    return Buffer.byteLength(note.slice(0, note.indexOf('\n') + 1));
  }
}

/** Undefined when the text is not a note. */
export function parseNote(text: string): OwnerNote | undefined {
  const [head = '', , left = ''] = text.split('\n');
  const owner = parseOwner(head);
  return owner && { owner, ...(left.startsWith(leftWord) && { left: left.slice(leftWord.length) }) };
}

/** Undefined when the text does not name an owner. */
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
