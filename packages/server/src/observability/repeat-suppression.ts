import type { Logger } from './logger.ts';

/** The time in which the same entry is not logged again, in milliseconds. */
const quietMs = 60_000;

/** Maximum number of remembered entries. */
const entriesMax = 100;

interface Entry {
  readonly loggedAt: number;
  /** The number of times that the entry was suppressed since. */
  repeated: number;
}

/**
 * A logger that logs the same entry only once a minute, with the number of suppressed entries (`repeated`).
 * Otherwise a fault that every request causes would fill the disk with stack traces.
 *
 * @param monotonicMs - a clock that never goes back, in milliseconds
 */
export function suppressRepeats(logger: Logger, monotonicMs: () => number): Logger {
  const entries = new Map<string, Entry>();
  const limited = (level: 'warn' | 'error', fields: object, message: string): void => {
    const key = `${level} ${message} ${reasonOf(fields)}`;
    const now = monotonicMs();
    const known = entries.get(key);
    if (known && now - known.loggedAt < quietMs) return void known.repeated++;
    // Moves the entry to the end, so that the first entry is the one that was logged longest ago.
    entries.delete(key);
    entries.set(key, { loggedAt: now, repeated: 0 });
    for (const [oldest] of entries) {
      if (entries.size <= entriesMax) break;
      entries.delete(oldest);
    }
    logger[level](known && known.repeated > 0 ? { ...fields, repeated: known.repeated } : fields, message);
  };
  return {
    warn: (fields, message) => limited('warn', fields, message),
    error: (fields, message) => limited('error', fields, message),
  };
}

/** Distinguishes failures that are logged with the same message. */
function reasonOf(fields: object): string {
  const { err } = fields as { readonly err?: unknown };
  if (!(err instanceof Error)) return '';
  const { cause } = err;
  return `${err.message} ${cause instanceof Error ? cause.message : ''}`;
}
