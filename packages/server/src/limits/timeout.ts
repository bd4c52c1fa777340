import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after a promise is settled, or after the time. It ignores a rejection. */
export async function waitAtMost(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  const isOver = new AbortController();
  const { signal } = isOver;
  await Promise.race([promise, sleep(timeoutMs, undefined, { signal })]).catch(() => {});
  isOver.abort();
}
