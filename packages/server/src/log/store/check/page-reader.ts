import { Buffer } from 'node:buffer';
import { readSync } from 'node:fs';
import { headSize, type Meta } from './page-layout.ts';
import type { Overflow } from './page-nodes.ts';

/** Pages that are this close are read together, up to a limit of bytes. */
const gapPagesMax = 8;
const readBytesMax = 256 * 1024;

/** The meta pages belong to no tree. */
const metaPages = 2;

/** Reads the pages of a data file, and tracks which of them are in use. */
export class PageReader {
  readonly #file: number;
  readonly #pageSize: number;
  /** The number of pages of the data, and the number of them in the file. */
  readonly #dataPages: number;
  readonly #count: number;
  /** A bitmap. */
  readonly #used: Uint8Array;
  readonly #buffer = Buffer.alloc(readBytesMax);

  constructor(file: number, size: number, { pageSize, lastPage }: Meta) {
    this.#file = file;
    this.#pageSize = pageSize;
    this.#dataPages = lastPage + 1;
    this.#count = Math.min(this.#dataPages, Math.floor(size / pageSize));
    this.#used = new Uint8Array(Math.ceil(this.#count / 8));
  }

  /** Marks pages as used. Returns false if they are not in the file, or already used. */
  take(first: number, count = 1): boolean {
    if (first + count > this.#count || !this.areFree(first, count)) return false;
    for (let page = first; page < first + count; page++) {
      this.#used[page >> 3] = (this.#used[page >> 3] ?? 0) | (1 << (page & 7));
    }
    return true;
  }

  /**
   * Whether pages belong to the data and none of them is in use. Free pages can be after the end of the file.
   */
  areFree(first: number, count: number): boolean {
    if (first < metaPages || count < 1 || first + count > this.#dataPages) return false;
    for (let page = first; page < first + count; page++) {
      if (((this.#used[page >> 3] ?? 0) & (1 << (page & 7))) !== 0) return false;
    }
    return true;
  }

  /**
   * Reads pages, each into a part of a buffer that is reused.
   *
   * @param numbers - in ascending order. All of them must be in the file
   */
  *pages(numbers: readonly number[]): Generator<readonly [number, Buffer], void, undefined> {
    const size = this.#pageSize;
    const atOnce = readBytesMax / size;
    for (let at = 0; at < numbers.length;) {
      const first = numbers[at] ?? 0;
      let end = at + 1;
      for (let last = first; end < numbers.length; end++) {
        const page = numbers[end] ?? 0;
        if (page - last > gapPagesMax || page - first >= atOnce) break;
        last = page;
      }
      const count = (numbers[end - 1] ?? 0) - first + 1;
      readSync(this.#file, this.#buffer, 0, count * size, first * size);
      for (; at < end; at++) {
        const number = numbers[at] ?? 0;
        const begin = (number - first) * size;
        yield [number, this.#buffer.subarray(begin, begin + size)];
      }
    }
  }

  /** The head of a page, which must be in the file. */
  head(page: number): Buffer {
    readSync(this.#file, this.#buffer, 0, headSize, page * this.#pageSize);
    return this.#buffer.subarray(0, headSize);
  }

  /** A value on pages of its own, which must be in the file. */
  value({ page, size }: Overflow): Buffer {
    const value = Buffer.alloc(size);
    readSync(this.#file, value, 0, size, page * this.#pageSize + headSize);
    return value;
  }
}
