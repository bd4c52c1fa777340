import { inspect, isDeepStrictEqual } from 'node:util';
import type { Logger } from '../observability/logger.ts';

/** A use of something that Node, ws or engine.io has for itself, and may change in any version. */
export interface Trial {
  /** What is used, as in 'The receiver of ws'. */
  readonly inside: string;
  /** What the server does without it, and what that means: whole sentences for the operator. */
  readonly instead: string;
  /** Uses it as the server will. Throws or rejects when anything differs from what the server relies on. */
  readonly run: () => void | Promise<void>;
}

/** Whether the server can rely on it. A trial that fails is one line in the log, and never an error. */
export async function isAsKnown({ inside, instead, run }: Trial, logger: Logger): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (err) {
    const reason = err instanceof Error ? err.message : String(err);
    logger.warn({ err, inside }, `${inside} does not work as expected (${reason}). ${instead}`);
    return false;
  }
}

/** @throws Error that names both values */
export function expectSame(what: string, found: unknown, expected: unknown): void {
  if (isDeepStrictEqual(found, expected)) return;
  throw new Error(`${what} is ${inspect(found, { depth: 1 })} instead of ${inspect(expected, { depth: 1 })}`);
}

/**
 * The only way in which a private field is read as a number: a field that was renamed would make every sum `NaN`, and a
 * limit that is compared with `NaN` is off.
 *
 * @returns undefined for anything but a whole number from 0
 */
export function asCount(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
