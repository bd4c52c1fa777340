import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { damaged } from './seal.ts';
import { LogDamagedError } from '../topic-log.ts';

/** What LMDB's two meta pages say: which commit each is of, and the root of its tree. */
interface Meta {
  readonly transaction: bigint;
  readonly root: bigint;
  readonly lastPage: bigint;
  readonly pageSize: number;
}

const headSize = 24;
const metaSize = headSize + 144;
const metaFlag = 0x08;
const magic = 0xbeefc0de;
const dataVersion = 2;
const noPage = 2n ** 64n - 1n;
const pageSizeMax = 65_536;
/** The data can end after the file does: pages that were given up before they were written. */
const unwrittenBytesMax = 16n * 1024n * 1024n;

/**
 * Sees to it that LMDB can open a data file, which may be new. LMDB must not be the one to find that it cannot:
 * lmdb-js ends the process then.
 *
 * @throws LogDamagedError
 */
export function checkHeader(path: string): void {
  const file = openSync(path, 'a+', 0o600);
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const metas = readMetas(file);
    if (
      metas?.every(({ lastPage, pageSize }) => lastPage * BigInt(pageSize) < BigInt(size) + unwrittenBytesMax)
    )
      return;
  } finally {
    closeSync(file);
  }
  throw new LogDamagedError(
    `The data file '${path}' cannot be opened: it is damaged, or not Fanfare's. ` +
      'Go back to a backup, or give the server another data directory.',
  );
}

/**
 * Sees to it that the newer of the two meta pages is the newest commit. LMDB has no checksums: it would take an older
 * commit for the newest one when a bit of a meta page has changed, and say nothing. But every commit writes a new root
 * page, which carries the commit's number too.
 *
 * Nothing must be written meanwhile.
 *
 * @throws LogDamagedError
 */
export function checkNewestCommit(path: string): void {
  const file = openSync(path, 'r');
  try {
    const [first, second] = readMetas(file) ?? [];
    const [older, newer] =
      first && second && first.transaction < second.transaction ? [first, second] : [second, first];
    if (
      !older ||
      !newer ||
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

/** Tells, with all but certainty, whether a data file was written since: what it is on the disk, and its meta pages. */
export function fingerprintOf(path: string): string {
  const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  const file = openSync(path, 'r');
  try {
    const pages = Buffer.alloc(2 * pageSizeMax);
    const length = readSync(file, pages, 0, pages.length, 0);
    return [ino, size, mtimeNs, ctimeNs, crc32(pages.subarray(0, length))].join('-');
  } finally {
    closeSync(file);
  }
}

/** Undefined when they are none that LMDB would take. */
function readMetas(file: number): [Meta, Meta] | undefined {
  const first = readMeta(file, 0);
  const second = first && readMeta(file, first.pageSize);
  return second?.pageSize === first?.pageSize && first && second ? [first, second] : undefined;
}

function readMeta(file: number, at: number): Meta | undefined {
  const page = Buffer.alloc(metaSize);
  readSync(file, page, 0, metaSize, at);
  const meta: Meta = {
    pageSize: page.readUInt32LE(headSize + 24),
    root: page.readBigUInt64LE(headSize + 112),
    lastPage: page.readBigUInt64LE(headSize + 120),
    transaction: page.readBigUInt64LE(headSize + 128),
  };
  const isMeta =
    page.readUInt16LE(headSize - 6) === metaFlag &&
    page.readUInt32LE(headSize) === magic &&
    page.readUInt32LE(headSize + 4) === dataVersion &&
    [4096, 8192, 16_384, 32_768, 65_536].includes(meta.pageSize);
  return isMeta ? meta : undefined;
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
