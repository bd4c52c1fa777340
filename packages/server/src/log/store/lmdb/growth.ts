import { pageSize, type Change } from './lmdb-file.ts';

/**
 * The maximum growth of the file, in bytes. Each change can copy its page. A value of more than a quarter
 * page has pages of its own. The rest is for the trees' other pages, and for LMDB's list of free pages.
 */
export function bytesMax(changes: readonly Change[]): number {
  let bytes = (16 + changes.length * 1.25) * pageSize;
  for (const { value } of changes)
    bytes += value && value.length > pageSize / 4 ? value.length + pageSize : 0;
  return bytes;
}
