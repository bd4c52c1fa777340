import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Settles like a promise, or rejects after the time.
 *
 * @param lateMessage - of the error if the time is over
 */
export async function withTimeout<T>(
  promise: Promise<T>,
  timeoutMs: number,
  lateMessage: string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(lateMessage)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after a promise is settled, or after the time. It ignores a rejection. */
export async function waitAtMost(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  const isOver = new AbortController();
  const { signal } = isOver;
  await Promise.race([promise, sleep(timeoutMs, undefined, { signal })]).catch(() => {});
  isOver.abort();
}
