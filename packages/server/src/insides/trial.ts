import { inspect, isDeepStrictEqual } from 'node:util';
import type { Logger } from '../observability/logger.ts';

/** Tries a private part of Node, ws or engine.io, which any version may change. */
export interface Trial {
  /** The private part, such as "engine.io's write buffer". */
  readonly inside: string;
  /** What the server does without it, and what this changes for users: sentences for the operator. */
  readonly instead: string;
  /** Uses the part as the server will. Throws or rejects when anything is not as the server needs it. */
  readonly run: () => void | Promise<void>;
}

/** Runs a trial. A failure is one line in the log, and never an error. */
export async function isAsKnown({ inside, instead, run }: Trial, logger: Logger): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (err) {
    const reason = err instanceof Error ? err.message : String(err);
    logger.warn({ err, inside }, `${inside} cannot be used: ${reason}. ${instead}`);
    return false;
  }
}

/** @throws Error that names both values */
export function expectSame(what: string, found: unknown, expected: unknown): void {
  if (isDeepStrictEqual(found, expected)) return;
  throw new Error(`${what} is ${inspect(found, { depth: 1 })} instead of ${inspect(expected, { depth: 1 })}`);
}

/**
 * Reads a private field as a number. This is the only way to do so: a renamed field would make every sum `NaN`, and a limit
 * never holds against `NaN`.
 *
 * @returns undefined for everything but a whole number from 0
 */
export function asCount(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
