import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { headSize, pageSizeMax, readMetas, wordAt, type Meta } from './page-layout.ts';
import { damaged } from '../encoding/checksum.ts';
import { LogDamagedError } from '../../topic-log.ts';

/** A new file can end before its data does: pages that were given up before they were written. */
const unwrittenPagesMax = 16;

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
    if (metas?.every(({ lastPage, pageSize }) => (lastPage + 1 - unwrittenPagesMax) * pageSize <= size))
      return;
  } finally {
    closeSync(file);
  }
  throw new LogDamagedError(`The data file '${path}' cannot be opened: it is damaged, or not Fanfare's.`);
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
    const [newer, older] = readMetas(file) ?? [];
    if (
      !older ||
      !newer ||
      rootTransaction(file, newer) !== newer.transaction ||
      (rootTransaction(file, older) ?? 0) > newer.transaction ||
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

/** The commit that wrote the root page; undefined when there is no such page. */
function rootTransaction(file: number, { main, pageSize }: Meta): number | undefined {
  if (main.root === undefined) return 0;
  const head = Buffer.alloc(headSize);
  const at = main.root * pageSize;
  if (!Number.isSafeInteger(at) || readSync(file, head, 0, headSize, at) < headSize) return undefined;
  return wordAt(head, 0) === main.root ? wordAt(head, 8) : undefined;
}
