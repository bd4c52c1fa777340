import { Buffer } from 'node:buffer';
import { readSync } from 'node:fs';

/**
 * The layout of a data file (LMDB's data version 2, as lmdb-js 3.5 writes it on little-endian machines). It
 * is used to check a file before LMDB opens it, because LMDB trusts the file.
 */

/** A page begins with its number, the number of its commit, flags, and a part that depends on them. */
export const headSize = 24;
export const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;

/** A node begins with a size or a page number, flags, and the size of its key. */
export const nodeHeadSize = 8;
/** The value has pages of its own; the value is a tree. */
export const nodeFlags = { overflow: 0x01, tree: 0x02 } as const;

/** The head of a tree. */
export interface Tree {
  readonly flags: number;
  /** The number of levels; 0 if the tree is empty. */
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  /** Undefined if the tree is empty. */
  readonly root: number | undefined;
}

export const treeSize = 48;

/** One of the two pages at the beginning, which the commits write alternately. */
export interface Meta {
  readonly pageSize: number;
  readonly transaction: number;
  readonly lastPage: number;
  /** The free pages, by the commit that freed them. */
  readonly free: Tree;
  /** The tables by name. */
  readonly main: Tree;
}

export const pageSizeMax = 65_536;
const pageSizes: ReadonlySet<number> = new Set([4096, 8192, 16_384, 32_768, pageSizeMax]);
const magic = 0xbeefc0de;
const dataVersion = 2;
const metaSize = headSize + 144;
const noPage = 2 ** 64;

/** Reads the two meta pages, the newer one first. Undefined if LMDB would refuse them. */
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

/**
 * Reads 64 bits. A double cannot hold all of them, but no sound file has such a high number, except 2^64 - 1.
 */
export function wordAt(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * 2 ** 32 + buffer.readUInt32LE(at);
}
