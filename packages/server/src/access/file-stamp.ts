import { statSync } from 'node:fs';

/** The time between two checks of a file for changes, in milliseconds. */
export const lookMs = 1_000;

/** A text that changes when the file changes. */
export function stampOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'none';
  }
}
