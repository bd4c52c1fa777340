import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for something, but not when it takes longer than that, or fails. */
export async function waitAtMost(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  const isOver = new AbortController();
  const { signal } = isOver;
  await Promise.race([promise, sleep(timeoutMs, undefined, { signal })]).catch(() => {});
  isOver.abort();
}
