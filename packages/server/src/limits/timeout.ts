import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves once a promise is settled, or after the time. A failure is not reported. */
export async function waitAtMost(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  const isOver = new AbortController();
  const { signal } = isOver;
  await Promise.race([promise, sleep(timeoutMs, undefined, { signal })]).catch(() => {});
  isOver.abort();
}
