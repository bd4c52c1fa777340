import type { Buffer } from 'node:buffer';
import { headSize, nodeFlags, nodeHeadSize, pageFlags, wordAt } from './page-layout.ts';

/** A value on pages of its own. */
export interface Overflow {
  /** The first of its pages. */
  readonly page: number;
  readonly pages: number;
  /** The size of the value, in bytes. */
  readonly size: number;
}

const overflowSize = 24;

/**
 * The offsets of the nodes in a branch or leaf page. Undefined if the nodes do not fill the page exactly, as
 * sound ones do.
 *
 * @param keySizeMax - in bytes
 */
export function nodesOf(page: Buffer, keySizeMax: number): readonly number[] | undefined {
  const isBranch = page.readUInt16LE(18) === pageFlags.branch;
  const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
  const end = page.length - headSize;
  if (lower % 2 !== 0 || lower < 2 || lower > upper || upper > end) return undefined;
  const nodes: number[] = [];
  /** The begin and the size of each node, packed into one number for sorting. */
  const extents = new Uint32Array(lower / 2);
  for (let at = 0; at < extents.length; at++) {
    const node = page.readUInt16LE(headSize + 2 * at) + headSize;
    if (node % 2 !== 0 || node + nodeHeadSize > page.length) return undefined;
    const keySize = page.readUInt16LE(node + 6);
    if (keySize > keySizeMax) return undefined;
    const size = nodeHeadSize + keySize + (isBranch ? 0 : inlineSize(page, node));
    if (node + size > page.length) return undefined;
    nodes.push(node);
    extents[at] = (node / 2) * 2 ** 17 + size + (size % 2);
  }
  extents.sort();
  let begin = upper + headSize;
  for (const extent of extents) {
    if (Math.floor(extent / 2 ** 17) * 2 !== begin) return undefined;
    begin += extent % 2 ** 17;
  }
  return begin === page.length ? nodes : undefined;
}

function inlineSize(page: Buffer, node: number): number {
  return hasOverflow(page, node) ? overflowSize : page.readUInt32LE(node);
}

/** The page that a node of a branch leads to. */
export function childOf(page: Buffer, node: number): number {
  return page.readUInt32LE(node) + page.readUInt16LE(node + 4) * 2 ** 32;
}

export function flagsOf(page: Buffer, node: number): number {
  return page.readUInt16LE(node + 4);
}

export function keyOf(page: Buffer, node: number): Buffer {
  const begin = node + nodeHeadSize;
  return page.subarray(begin, begin + page.readUInt16LE(node + 6));
}

/** The value of a node, if it is in the same page. */
export function valueOf(page: Buffer, node: number): Buffer {
  const begin = node + nodeHeadSize + page.readUInt16LE(node + 6);
  return page.subarray(begin, begin + page.readUInt32LE(node));
}

export function hasOverflow(page: Buffer, node: number): boolean {
  return (flagsOf(page, node) & nodeFlags.overflow) !== 0;
}

export function overflowOf(page: Buffer, node: number): Overflow {
  const at = node + nodeHeadSize + page.readUInt16LE(node + 6);
  return { page: wordAt(page, at), pages: wordAt(page, at + 16), size: page.readUInt32LE(node) };
}
