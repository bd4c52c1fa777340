import type { PageLimit } from '../../topic-log.ts';

/** @param bytes - with the next record, which always fits if it is the first one */
export function isPageFull(records: number, bytes: number, { recordsMax, bytesMax }: PageLimit): boolean {
  return records > 0 && (records >= recordsMax || bytes > bytesMax);
}
