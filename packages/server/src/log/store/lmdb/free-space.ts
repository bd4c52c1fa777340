import { Buffer } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';

/** The file grows in steps, so that it seldom has to: by a share of its size, within these limits. */
const stepBytesMin = 1024 * 1024;
const stepBytesMax = 64 * 1024 * 1024;
const stepShare = 1 / 16;

/** Reserved for removals, which free space, and for the next start, which writes a little. */
const leftBytes = 256 * 1024;

/** The use of a data file after the last change. */
export interface SpaceUse {
  /** The end of the data in the file, in bytes. */
  readonly dataBytes: number;
  /** The free part of the data, in bytes. */
  readonly freeBytes: number;
}

/**
 * Allocates disk space at the end of a data file before it is needed. LMDB must never meet a full disk:
 * lmdb-js then writes the error's text beyond the end of its memory, and the process may crash.
 */
export class FreeSpace {
  readonly #file: FileHandle;
  readonly #use: SpaceUse;
  /**
   * The allocated bytes after the end of the data, at least. Each commit counts with the most that it can
   * take, so the use is read only when this is used up.
   */
  #spare = 0;

  private constructor(file: FileHandle, use: SpaceUse) {
    this.#file = file;
    this.#use = use;
  }

  static async open(path: string, use: SpaceUse): Promise<FreeSpace> {
    return new FreeSpace(await open(path, 'r+'), use);
  }

  /**
   * Makes sure that the data can grow by so many bytes. Nothing must be written to the file meanwhile.
   *
   * @param isRemoval - the data hardly grows, and there will be more free space afterwards
   * @throws the system's error if the disk is full
   */
  async reserve(bytes: number, isRemoval: boolean): Promise<void> {
    if (this.#spare < bytes + leftBytes) await this.#extend(bytes, isRemoval);
    this.#spare -= bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Extends the file even if the space suffices for now: reading its use takes time in every such commit. */
  async #extend(bytes: number, isRemoval: boolean): Promise<void> {
    const { dataBytes } = this.#use;
    const { size } = await this.#file.stat();
    const step = Math.min(Math.max(size * stepShare, stepBytesMin), stepBytesMax);
    this.#spare = size - dataBytes;
    if (this.#spare >= bytes + leftBytes + step / 2) return;
    try {
      await this.#fill(Math.max(size, dataBytes), dataBytes + bytes + leftBytes + step);
    } catch (error) {
      this.#spare = (await this.#file.stat()).size - dataBytes;
      if (!this.#suffices(bytes, isRemoval)) throw error;
      return;
    }
    this.#spare = bytes + leftBytes + step;
  }

  /** Whether the space suffices that could be allocated. */
  #suffices(bytes: number, isRemoval: boolean): boolean {
    if (this.#spare >= bytes + leftBytes) return true;
    if (isRemoval) return this.#spare >= leftBytes / 2;
    // The free space is fragmented, and its newest part cannot be used yet.
    return this.#spare >= leftBytes && this.#use.freeBytes >= 8 * (bytes + leftBytes);
  }

  /** Writes zeros: only written pages have their place on the disk. */
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
