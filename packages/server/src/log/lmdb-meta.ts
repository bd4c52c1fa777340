import { Buffer } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { damaged } from './seal.ts';

/** What LMDB's two meta pages say: which commit each is of, and the root of its tree. */
interface Meta {
  readonly transaction: bigint;
  readonly root: bigint;
  readonly lastPage: bigint;
  readonly pageSize: number;
}

const headSize = 24;
const metaSize = headSize + 144;
const magic = 0xbeefc0de;
const dataVersion = 2;
const noPage = 2n ** 64n - 1n;

/**
 * Sees to it that the newer of the two meta pages is the newest commit. LMDB has no checksums: it would take an older
 * commit for the newest one when a bit of a meta page has changed, and say nothing. But every commit writes a new root
 * page, which carries the commit's number too.
 *
 * Nothing must be written meanwhile.
 *
 * @throws LogDamagedError
 */
export function checkMetaPages(path: string): void {
  const file = openSync(path, 'r');
  try {
    const first = readMeta(file, 0);
    const second = first && readMeta(file, first.pageSize);
    // Another layout: LMDB itself says what it thinks of it.
    if (!first || !second) return;
    const [older, newer] = first.transaction < second.transaction ? [first, second] : [second, first];
    if (
      rootTransaction(file, newer) !== newer.transaction ||
      rootTransaction(file, older) > newer.transaction ||
      newer.lastPage < older.lastPage
    ) {
      throw damaged("the data file's newest state");
    }
  } finally {
    closeSync(file);
  }
}

function readMeta(file: number, at: number): Meta | undefined {
  const page = Buffer.alloc(metaSize);
  readSync(file, page, 0, metaSize, at);
  if (page.readUInt32LE(headSize) !== magic || page.readUInt32LE(headSize + 4) !== dataVersion)
    return undefined;
  return {
    pageSize: page.readUInt32LE(headSize + 24),
    root: page.readBigUInt64LE(headSize + 112),
    lastPage: page.readBigUInt64LE(headSize + 120),
    transaction: page.readBigUInt64LE(headSize + 128),
  };
}

/** The commit that wrote the root page; -1 when there is no such page. */
function rootTransaction(file: number, { root, pageSize }: Meta): bigint {
  if (root === noPage) return 0n;
  const head = Buffer.alloc(headSize);
  const at = root * BigInt(pageSize);
  if (at > BigInt(Number.MAX_SAFE_INTEGER) || readSync(file, head, 0, headSize, Number(at)) < headSize)
    return -1n;
  return head.readBigUInt64LE(0) === root ? head.readBigUInt64LE(8) : -1n;
}
