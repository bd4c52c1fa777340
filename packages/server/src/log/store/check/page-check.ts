import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { headSize, nodeFlags, pageFlags, readMetas, treeAt, treeSize, wordAt } from './page-layout.ts';
import type { Meta, Tree } from './page-layout.ts';
import { childOf, flagsOf, keyOf, nodesOf, overflowOf, valueOf, type Overflow } from './page-nodes.ts';
import { PageReader } from './page-reader.ts';

/** The depth limit of LMDB's cursors. */
const depthMax = 31;

/** The flags of LMDB's list of free pages, without the flag for how the files are named. */
const freeFlags = 0x08;
const namingFlag = 0x4000;

export interface PageCheckOptions {
  /** The names of the expected tables. */
  readonly tables: readonly string[];
  /** Maximum number of checked values on pages of their own. Each takes a separate read. */
  readonly overflowsMax: number;
}

const idSize = 8;

type Finding = Generator<string, void, undefined>;

/** Whether a node of a leaf is sound, as far as its page shows. */
type IsSound = (page: Buffer, node: number) => boolean;

/**
 * Checks all pages of the trees in a data file. LMDB trusts them: a wrong page number crashes the process, or
 * overwrites data. Values are not checked: they have checksums.
 *
 * Nothing must be written meanwhile.
 *
 * @returns a sentence for each damage
 */
export function* checkPages(path: string, options: PageCheckOptions): Finding {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const [meta, older] = readMetas(file) ?? [];
    if (!meta || !older || !agree(meta, older)) yield 'The first pages of the data file are damaged.';
    else yield* new PageCheck(new PageReader(file, size, meta), meta, options).run();
  } finally {
    closeSync(file);
  }
}

/** Whether two commits can be consecutive. */
function agree(newer: Meta, older: Meta): boolean {
  return (
    (newer.free.flags & ~namingFlag) === freeFlags &&
    newer.free.flags === older.free.flags &&
    newer.main.flags === 0 &&
    // A new file has no commits.
    (older.transaction === newer.transaction - 1 || newer.transaction === 0) &&
    older.lastPage <= newer.lastPage
  );
}

class PageCheck {
  readonly #reader: PageReader;
  readonly #meta: Meta;
  readonly #options: PageCheckOptions;
  readonly #keySizeMax: number;
  readonly #trees = new Map<string, Tree>();
  readonly #overflows: Overflow[] = [];
  readonly #freeLists: Buffer[] = [];

  constructor(reader: PageReader, meta: Meta, options: PageCheckOptions) {
    this.#reader = reader;
    this.#meta = meta;
    this.#options = options;
    // The limit of LMDB: a page holds at least two nodes, and each of them can hold the head of a tree.
    const nodeSizeMax = (Math.floor((meta.pageSize - headSize) / 2) & -2) - 2;
    this.#keySizeMax = nodeSizeMax - 8 - treeSize;
  }

  *run(): Finding {
    const { main, free } = this.#meta;
    const { tables, overflowsMax } = this.#options;
    yield* this.#walk('the list of tables', main, (page, node) => this.#isTable(page, node));
    const missing = tables.find((name) => !this.#trees.has(name));
    const unknown = [...this.#trees.keys()].find((name) => !tables.includes(name));
    // Older files have fewer tables, and newer files have more.
    if (missing !== undefined && unknown !== undefined)
      yield `The table '${missing}' has the name '${unknown}'.`;
    for (const [name, tree] of this.#trees) {
      yield* this.#walk(`the table '${name}'`, tree, (page, node) => this.#isEntry(page, node));
    }
    yield* this.#walk('the list of free pages', free, (page, node) => this.#isFreeEntry(page, node));
    for (const { page, pages } of this.#overflows.slice(0, overflowsMax)) {
      const head = this.#reader.head(page);
      if (!isHead(head, page, pageFlags.overflow) || head.readUInt32LE(20) !== pages)
        yield `Page ${page}, the first page of a value, is damaged.`;
    }
    for (const list of this.#freeLists) if (!this.#isFree(list)) yield 'The list of free pages is damaged.';
  }

  /** Checks all pages of a tree, level by level. */
  *#walk(name: string, tree: Tree, isSound: IsSound): Finding {
    const { root, depth } = tree;
    const isPlausible = root === undefined ? depth === 0 : depth > 0 && depth <= depthMax;
    if (!isPlausible || (tree !== this.#meta.free && tree.flags !== 0)) return yield headDamage(name);
    const counts = { branchPages: 0, leafPages: 0, entries: 0 };
    const overflows = this.#overflows.length;
    let isDamaged = false;
    let level = root === undefined ? [] : [root];
    for (let height = depth; height > 0 && level.length > 0; height--) {
      const pages = level.filter((page) => this.#reader.take(page)).toSorted((a, b) => a - b);
      if (pages.length < level.length) {
        isDamaged = true;
        yield `A page of ${name} is not in the file, or is used twice.`;
      }
      level = [];
      for (const [number, page] of this.#reader.pages(pages)) {
        const nodes = this.#nodes(number, page, height === 1 ? pageFlags.leaf : pageFlags.branch);
        if (!nodes || (height === 1 && !nodes.every((node) => isSound(page, node)))) {
          isDamaged = true;
          yield `Page ${number}, of ${name}, is damaged.`;
        } else if (height === 1) {
          counts.leafPages++;
          counts.entries += nodes.length;
        } else {
          counts.branchPages++;
          for (const node of nodes) level.push(childOf(page, node));
        }
      }
    }
    const overflowPages = this.#overflows.slice(overflows).reduce((sum, { pages }) => sum + pages, 0);
    const isCounted =
      counts.branchPages === tree.branchPages &&
      counts.leafPages === tree.leafPages &&
      counts.entries === tree.entries &&
      overflowPages === tree.overflowPages;
    if (!isDamaged && !isCounted) yield headDamage(name);
  }

  #nodes(number: number, page: Buffer, flag: number): readonly number[] | undefined {
    if (!isHead(page, number, flag) || wordAt(page, 8) > this.#meta.transaction) return undefined;
    return nodesOf(page, this.#keySizeMax);
  }

  #isTable(page: Buffer, node: number): boolean {
    const value = valueOf(page, node);
    if (flagsOf(page, node) !== nodeFlags.tree || value.length !== treeSize) return false;
    // lmdb-js ends names with a zero byte.
    this.#trees.set(keyOf(page, node).toString('latin1').replace(/\0$/, ''), treeAt(value, 0));
    return true;
  }

  #isEntry(page: Buffer, node: number): boolean {
    if (keyOf(page, node).length === 0) return false;
    if (flagsOf(page, node) === 0) return true;
    return flagsOf(page, node) === nodeFlags.overflow && this.#isOverflow(overflowOf(page, node));
  }

  #isFreeEntry(page: Buffer, node: number): boolean {
    const key = keyOf(page, node);
    if (key.length !== idSize || wordAt(key, 0) > this.#meta.transaction) return false;
    if (!this.#isEntry(page, node)) return false;
    // Whether its pages are really free is known only after all trees are.
    if (flagsOf(page, node) === 0) this.#freeLists.push(Buffer.from(valueOf(page, node)));
    else this.#freeLists.push(this.#reader.value(overflowOf(page, node)));
    return true;
  }

  #isOverflow(overflow: Overflow): boolean {
    const { page, pages, size } = overflow;
    if (headSize + size > pages * this.#meta.pageSize || !this.#reader.take(page, pages)) return false;
    this.#overflows.push(overflow);
    return true;
  }

  /**
   * The list has a count and page numbers. A negative number is the length of the run that starts with the
   * next number.
   */
  #isFree(list: Buffer): boolean {
    const count = list.length < idSize ? Infinity : wordAt(list, 0);
    if ((count + 1) * idSize > list.length) return false;
    let run = 1;
    for (let at = idSize; at <= count * idSize; at += idSize) {
      const number = list.readInt32LE(at + 4) * 2 ** 32 + list.readUInt32LE(at);
      if (number < 0) run = -number;
      else if (number > 0) {
        if (!this.#reader.areFree(number, run)) return false;
        run = 1;
      }
    }
    return run === 1;
  }
}

function isHead(page: Buffer, number: number, flag: number): boolean {
  return wordAt(page, 0) === number && page.readUInt16LE(18) === flag;
}

function headDamage(name: string): string {
  return `The head of ${name} is damaged.`;
}
