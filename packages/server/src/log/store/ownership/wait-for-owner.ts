import { setTimeout as delay } from 'node:timers/promises';
import { DirectoryInUseError } from '../directory/data-directory.ts';

/** Asking again is one connection to the owner's socket. */
const pollMs = 100;

export interface WaitOptions {
  /** How long to wait at most. */
  readonly waitMs: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** Called once with a sentence, when the wait begins. */
  readonly onWait: (sentence: string) => void;
}

/**
 * Opens a data directory, if necessary after its owner has released it.
 *
 * @throws DirectoryInUseError if another server has the directory all the time
 * @throws the reason of the signal
 */
export async function openWhenFree<T>(
  open: () => Promise<T>,
  { waitMs, signal, onWait }: WaitOptions,
): Promise<T> {
  const endsAt = performance.now() + waitMs;
  for (let attempts = 1; ; attempts++) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof DirectoryInUseError) || performance.now() >= endsAt) throw error;
      if (attempts === 1) onWait(`${error.what} This server waits for up to ${waitMs / 1_000} seconds.`);
    }
    await delay(pollMs, undefined, { signal }).catch(() => {});
    signal?.throwIfAborted();
  }
}
