import { Buffer } from 'node:buffer';
import { readSync } from 'node:fs';

/**
 * What is known of the bytes of a data file (LMDB's data version 2, as lmdb-js 3.5 writes it on machines whose low byte
 * comes first). It is there to look at a file before LMDB does, which trusts what it reads.
 */

/** Every page begins with its number, the number of the commit that wrote it, flags, and what depends on these. */
export const headSize = 24;
export const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;

/** Every node of a page begins with a size or a page number, flags, and the size of its key. */
export const nodeHeadSize = 8;
/** The value is on pages of its own; the value is a tree. */
export const nodeFlags = { overflow: 0x01, tree: 0x02 } as const;

/** A tree as its parent names it. */
export interface Tree {
  readonly flags: number;
  /** How many pages one above the other; 0 when it is empty. */
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  /** Undefined when it is empty. */
  readonly root: number | undefined;
}

export const treeSize = 48;

/** One of the two pages at the beginning, which the commits write by turns. */
export interface Meta {
  readonly pageSize: number;
  readonly transaction: number;
  readonly lastPage: number;
  /** The pages that are free, by the commits that gave them up. */
  readonly free: Tree;
  /** The tables, by their names. */
  readonly main: Tree;
}

export const pageSizeMax = 65_536;
const pageSizes: ReadonlySet<number> = new Set([4096, 8192, 16_384, 32_768, pageSizeMax]);
const magic = 0xbeefc0de;
const dataVersion = 2;
const metaSize = headSize + 144;
const noPage = 2 ** 64;

/** The two meta pages, the newer one first. Undefined when they are not what LMDB would take. */
export function readMetas(file: number): readonly [Meta, Meta] | undefined {
  const first = readMeta(file, 0);
  const second = first && readMeta(file, first.pageSize);
  if (!first || !second || first.pageSize !== second.pageSize) return undefined;
  return second.transaction > first.transaction ? [second, first] : [first, second];
}

function readMeta(file: number, at: number): Meta | undefined {
  const page = Buffer.alloc(metaSize);
  readSync(file, page, 0, metaSize, at);
  const pageSize = page.readUInt32LE(headSize + 24);
  const isMeta =
    page.readUInt16LE(18) === pageFlags.meta &&
    page.readUInt32LE(headSize) === magic &&
    page.readUInt32LE(headSize + 4) === dataVersion &&
    pageSizes.has(pageSize);
  if (!isMeta) return undefined;
  return {
    pageSize,
    free: treeAt(page, headSize + 24),
    main: treeAt(page, headSize + 24 + treeSize),
    lastPage: wordAt(page, headSize + 120),
    transaction: wordAt(page, headSize + 128),
  };
}

export function treeAt(buffer: Buffer, at: number): Tree {
  const root = wordAt(buffer, at + 40);
  return {
    flags: buffer.readUInt16LE(at + 4),
    depth: buffer.readUInt16LE(at + 6),
    branchPages: wordAt(buffer, at + 8),
    leafPages: wordAt(buffer, at + 16),
    overflowPages: wordAt(buffer, at + 24),
    entries: wordAt(buffer, at + 32),
    root: root === noPage ? undefined : root,
  };
}

/** A number of 64 bits, without what a double has no room for: no sound file has a number that high, but for 2^64 - 1. */
export function wordAt(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * 2 ** 32 + buffer.readUInt32LE(at);
}
