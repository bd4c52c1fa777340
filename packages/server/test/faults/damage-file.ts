import type { Random } from './random.ts';

/** A file after a disk, a copy or a program has damaged it. */
export interface DamagedFile {
  readonly kind: string;
  readonly data: Buffer;
}

const pageSize = 4096;
const headSize = 24;
/** The offsets of the fields of a file's first pages: sizes, flags, depths, counts, roots, commits. */
const metaFields = [24, 28, 30, 32, 40, 48, 56, 64, 72, 76, 78, 80, 88, 96, 104, 112, 120, 128];

/** Damages copies of an LMDB file, each in another way, in turn. */
export class Damager {
  readonly #whole: Buffer;
  readonly #random: Random;
  /** The number of pages with data, and the pages that are or were parts of a tree. */
  readonly #pages: number;
  readonly #treePages: readonly number[];
  #next = 0;

  constructor(whole: Buffer, random: Random) {
    this.#whole = whole;
    this.#random = random;
    this.#pages = Number(whole.readBigUInt64LE(headSize + 120)) + 1;
    const all = Array.from({ length: this.#pages }, (_, page) => page);
    this.#treePages = all.filter((page) => {
      const flags = whole.readUInt16LE(page * pageSize + 18);
      return (
        page > 1 && whole.readBigUInt64LE(page * pageSize) === BigInt(page) && (flags === 1 || flags === 2)
      );
    });
  }

  damage(): DamagedFile {
    const kinds = Object.entries(this.#kinds);
    const [kind, damage] = kinds[this.#next++ % kinds.length] ?? ['', undefined];
    const data = Buffer.from(this.#whole);
    return { kind, data: damage?.(data) ?? data };
  }

  readonly #kinds: Record<string, (data: Buffer) => Buffer | void> = {
    'cut off anywhere': (data) => data.subarray(0, this.#random.below(this.#pages * pageSize)),
    'cut off at a page': (data) => data.subarray(0, (1 + this.#random.below(this.#pages)) * pageSize),
    'cut off in its head': (data) => data.subarray(0, this.#random.below(2 * pageSize)),
    'a page of zeros': (data) => void this.#page(data, this.#random.below(this.#pages)).fill(0),
    'a tree page of zeros': (data) => void this.#treePage(data).fill(0),
    'a page of garbage': (data) => this.#garble(this.#page(data, this.#random.below(this.#pages))),
    'garbage from somewhere on': (data) =>
      this.#garble(data.subarray(this.#random.below(this.#pages * pageSize))),
    'a bit of one head': (data) => this.#flip(this.#page(data, this.#random.below(2)).subarray(0, 168)),
    'the same bit of both heads': (data) => {
      const at = headSize + this.#random.pick(metaFields) + this.#random.below(4);
      const bit = 1 << this.#random.below(8);
      for (const head of [0, pageSize]) data[head + at] = (data[head + at] ?? 0) ^ bit;
    },
    'an older head in place of the newer one': (data) => {
      const isFirstNewer =
        data.readBigUInt64LE(headSize + 128) > data.readBigUInt64LE(pageSize + headSize + 128);
      const [from, to] = isFirstNewer ? [pageSize, 0] : [0, pageSize];
      data.copyWithin(to, from, from + 168);
    },
    "a bit of a tree page's head": (data) => this.#flip(this.#treePage(data).subarray(0, headSize)),
    'the bounds of a tree page': (data) =>
      void this.#treePage(data).writeUInt16LE(this.#random.below(65_536), 20 + 2 * this.#random.below(2)),
    'a pointer of a tree page': (data) => {
      const page = this.#treePage(data);
      const to = this.#random.below(this.#random.isOneIn(3) ? 65_536 : pageSize);
      page.writeUInt16LE(to, headSize + 2 * this.#random.below(nodesIn(page)));
    },
    "a bit of a node's head": (data) => this.#flip(this.#node(data).subarray(0, 8)),
    'a bit of a node': (data) => this.#flip(this.#node(data).subarray(0, 48)),
    'two pages that changed places': (data) => {
      const [one, other] = [0, 0].map(() => this.#page(data, this.#random.below(this.#pages)));
      if (!one || !other) return;
      const kept = Buffer.from(one);
      other.copy(one);
      kept.copy(other);
    },
    'a tree page in place of another one': (data) => void this.#treePage(data).copy(this.#treePage(data)),
    'twenty bits anywhere': (data) => {
      for (let i = 0; i < 20; i++) this.#flip(data.subarray(0, this.#pages * pageSize));
    },
  };

  #page(data: Buffer, page: number): Buffer {
    return data.subarray(page * pageSize, (page + 1) * pageSize);
  }

  #treePage(data: Buffer): Buffer {
    return this.#page(data, this.#random.pick(this.#treePages));
  }

  #node(data: Buffer): Buffer {
    const page = this.#treePage(data);
    return page.subarray(headSize + page.readUInt16LE(headSize + 2 * this.#random.below(nodesIn(page))));
  }

  #flip(data: Buffer): void {
    const at = this.#random.below(data.length);
    data[at] = (data[at] ?? 0) ^ (1 << this.#random.below(8));
  }

  #garble(data: Buffer): void {
    for (let at = 0; at < data.length; at++) data[at] = this.#random.below(256);
  }
}

function nodesIn(page: Buffer): number {
  return page.readUInt16LE(20) >> 1;
}
