import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { headSize, pageSizeMax, readMetas, wordAt, type Meta } from './page-layout.ts';
import { damaged } from '../encoding/checksum.ts';
import { LogDamagedError } from '../../topic-log.ts';

/** A new file can be shorter than its data: some pages were freed before they were written. */
const unwrittenPagesMax = 16;

/**
 * Makes sure that LMDB can open a data file, or that the file is new. lmdb-js crashes the process if LMDB
 * cannot open it.
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
  throw new LogDamagedError(
    `The data file '${path}' cannot be opened: it is damaged, or not a data file of Fanfare.`,
  );
}

/**
 * Makes sure that the newer meta page belongs to the newest commit. LMDB has no checksums, so after a bit
 * flip in a meta page it would silently use an older commit. But each commit writes a new root page with the
 * commit's number.
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

/**
 * A fingerprint that shows whether a data file was written: its metadata, and a checksum of its meta pages.
 */
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

/** The number of the commit that wrote the root page; undefined if there is no such page. */
function rootTransaction(file: number, { main, pageSize }: Meta): number | undefined {
  if (main.root === undefined) return 0;
  const head = Buffer.alloc(headSize);
  const at = main.root * pageSize;
  if (!Number.isSafeInteger(at) || readSync(file, head, 0, headSize, at) < headSize) return undefined;
  return wordAt(head, 0) === main.root ? wordAt(head, 8) : undefined;
}
