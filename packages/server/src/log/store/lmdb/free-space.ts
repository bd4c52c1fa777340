import { Buffer } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';

/** Room is made in steps, so that it is seldom made: a part of the file's size, within these limits. */
const stepBytesMin = 1024 * 1024;
const stepBytesMax = 64 * 1024 * 1024;
const stepShare = 1 / 16;

/** So much is left for removing, which makes room, and for the next start, which writes a little. */
const leftBytes = 256 * 1024;

/** What a file says of its room. */
export interface SpaceStats {
  /** Where that part of the file ends that has data. */
  readonly dataBytes: number;
  /** How much of that part is free. */
  readonly freeBytes: number;
}

/**
 * Room at the end of a data file, made before it is needed. LMDB must never be the one to whom a full disk says no:
 * lmdb-js writes the error's text beyond the end of its memory, and the process may crash.
 */
export class FreeSpace {
  readonly #file: FileHandle;
  readonly #stats: () => SpaceStats;
  /** How many bytes after the data's end are the file's, at least. */
  #spare = 0;

  private constructor(file: FileHandle, stats: () => SpaceStats) {
    this.#file = file;
    this.#stats = stats;
  }

  static async open(path: string, stats: () => SpaceStats): Promise<FreeSpace> {
    return new FreeSpace(await open(path, 'r+'), stats);
  }

  /**
   * Sees to it that the data can grow by so many bytes. Nothing must be written to the file meanwhile.
   *
   * @param isRemoval - the data hardly grows, and there will be more room afterwards
   * @throws what the system says when there is no room for them
   */
  async reserve(bytes: number, isRemoval: boolean): Promise<void> {
    if (this.#spare < bytes + leftBytes) await this.#extend(bytes, isRemoval);
    this.#spare -= bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #extend(bytes: number, isRemoval: boolean): Promise<void> {
    const { dataBytes } = this.#stats();
    const { size } = await this.#file.stat();
    this.#spare = size - dataBytes;
    if (this.#spare >= bytes + leftBytes) return;
    const step = Math.min(Math.max(size * stepShare, stepBytesMin), stepBytesMax);
    try {
      await this.#fill(Math.max(size, dataBytes), dataBytes + bytes + leftBytes + step);
    } catch (error) {
      this.#spare = (await this.#file.stat()).size - dataBytes;
      if (!this.#suffices(bytes, isRemoval)) throw error;
      return;
    }
    this.#spare = bytes + leftBytes + step;
  }

  /** Whether it can do with what there was room for. */
  #suffices(bytes: number, isRemoval: boolean): boolean {
    if (this.#spare >= bytes + leftBytes) return true;
    if (isRemoval) return this.#spare >= leftBytes / 2;
    // What is free is in pieces, and the newest of it cannot be used yet.
    return this.#spare >= leftBytes && this.#stats().freeBytes >= 8 * (bytes + leftBytes);
  }

  /** Writes, because only what is written has its place on the disk. */
  async #fill(from: number, to: number): Promise<void> {
    const zeros = Buffer.alloc(stepBytesMin);
    for (let at = from; at < to;) {
      const { bytesWritten } = await this.#file.write(
        zeros,
        0,
        Math.min(zeros.length, Math.ceil(to - at)),
        at,
      );
      at += bytesWritten;
    }
  }
}
