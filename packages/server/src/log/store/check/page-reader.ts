import { Buffer } from 'node:buffer';
import { readSync } from 'node:fs';
import { headSize, type Meta } from './page-layout.ts';
import type { Overflow } from './page-nodes.ts';

/** Pages that are no further apart are read together, up to so many bytes. */
const gapPagesMax = 8;
const readBytesMax = 256 * 1024;

/** The first pages, which are no part of any tree. */
const metaPages = 2;

/** Reads the pages of a data file, and keeps account of which are in use. */
export class PageReader {
  readonly #file: number;
  readonly #pageSize: number;
  /** How many pages the data has, and how many of them are in the file. */
  readonly #dataPages: number;
  readonly #count: number;
  /** A bit for each of them. */
  readonly #used: Uint8Array;
  readonly #buffer = Buffer.alloc(readBytesMax);

  constructor(file: number, size: number, { pageSize, lastPage }: Meta) {
    this.#file = file;
    this.#pageSize = pageSize;
    this.#dataPages = lastPage + 1;
    this.#count = Math.min(this.#dataPages, Math.floor(size / pageSize));
    this.#used = new Uint8Array(Math.ceil(this.#count / 8));
  }

  /** Notes that pages are in use. Returns false when they are not in the file, or in use already. */
  take(first: number, count = 1): boolean {
    if (first + count > this.#count || !this.areFree(first, count)) return false;
    for (let page = first; page < first + count; page++) {
      this.#used[page >> 3] = (this.#used[page >> 3] ?? 0) | (1 << (page & 7));
    }
    return true;
  }

  /** Whether the data can have these pages, and none of them is in use. Those that are free can be after the file's end. */
  areFree(first: number, count: number): boolean {
    if (first < metaPages || count < 1 || first + count > this.#dataPages) return false;
    for (let page = first; page < first + count; page++) {
      if (((this.#used[page >> 3] ?? 0) & (1 << (page & 7))) !== 0) return false;
    }
    return true;
  }

  /**
   * Reads pages, each as a part of a buffer that is used again for the next ones.
   *
   * @param numbers - all of them are in the file, in ascending order
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

  /** The head of a page that is in the file. */
  head(page: number): Buffer {
    readSync(this.#file, this.#buffer, 0, headSize, page * this.#pageSize);
    return this.#buffer.subarray(0, headSize);
  }

  /** A value that has pages of its own, which are in the file. */
  value({ page, size }: Overflow): Buffer {
    const value = Buffer.alloc(size);
    readSync(this.#file, value, 0, size, page * this.#pageSize + headSize);
    return value;
  }
}
