import { createRequire, syncBuiltinESMExports } from 'node:module';
import { vi } from 'vitest';

const faked = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const;

/** Engine.IO uses the functions of this module, and not the global ones. Vitest replaces only these. */
const timers = createRequire(import.meta.url)('node:timers') as Record<(typeof faked)[number], unknown>;

const real = Object.fromEntries(faked.map((name) => [name, timers[name]]));

/**
 * A clock that the test moves, for all timers of this process except those inside Node. So all ends reach the
 * same moment in the same step, however busy the machine is.
 */
export const clock = {
  take(): void {
    vi.useFakeTimers({ toFake: [...faked, 'Date', 'performance'] });
    Object.assign(timers, Object.fromEntries(faked.map((name) => [name, globalThis[name]])));
    syncBuiltinESMExports();
  },

  /** Timers that are left are dropped: those of ends that are not used any more. */
  giveBack(): void {
    vi.clearAllTimers();
    vi.useRealTimers();
    Object.assign(timers, real);
    syncBuiltinESMExports();
  },

  pass(ms: number): void {
    vi.advanceTimersByTime(ms);
  },
};
