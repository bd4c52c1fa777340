import type { Logger } from './logger.ts';

/** For how long what was logged is not logged again. */
const quietMs = 60_000;

/** Of how many different entries that is known. */
const entriesMax = 100;

interface Entry {
  readonly loggedAt: number;
  /** How often it came since, and was left out. */
  repeated: number;
}

/**
 * A logger that logs what it was given before only once a minute, with how often it came since (`repeated`): a fault of the server's
 * that every request meets would fill the disk with its stack.
 *
 * @param monotonicMs - a clock that never goes back, in milliseconds
 */
export function suppressRepeats(logger: Logger, monotonicMs: () => number): Logger {
  const entries = new Map<string, Entry>();
  const limited = (level: keyof Logger, fields: object, message: string): void => {
    const key = `${level} ${message} ${reasonOf(fields)}`;
    const now = monotonicMs();
    const known = entries.get(key);
    if (known && now - known.loggedAt < quietMs) return void known.repeated++;
    // It is the last from now on: the first is the one that was logged longest ago.
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

/** Tells one failure from another that is logged in the same words. */
function reasonOf(fields: object): string {
  const { err } = fields as { readonly err?: unknown };
  if (!(err instanceof Error)) return '';
  const { cause } = err;
  return `${err.message} ${cause instanceof Error ? cause.message : ''}`;
}
