import { suppressRepeats } from './repeat-suppression.ts';
import type { Logger } from './logger.ts';

/** What must hold whatever clients do. When one of these does not hold, Fanfare has a bug. */
const invariants = {
  commit_order: 'The sequences of a commit increase, and are greater than the head of the log.',
  tail_order: 'Records reach the tail in the order of the log.',
  page_order: 'A page has the records after its position, in the order of the log.',
  outcome_committed: 'An outcome is given only for a record that is committed.',
} as const;

export type InvariantName = keyof typeof invariants;

/**
 * Tells operators of broken invariants: counts each by its name, and logs it at most once a minute. It never throws. A
 * caller stops by itself only where going on would lose or reorder messages.
 */
export class Invariants {
  readonly #logger: Logger;
  readonly #counts = new Map<InvariantName, number>();

  /** @param monotonicMs - a clock that never goes back, in milliseconds */
  constructor(logger: Logger, monotonicMs: () => number = () => performance.now()) {
    this.#logger = suppressRepeats(logger, monotonicMs);
  }

  /** How often each invariant was broken. */
  get counts(): ReadonlyMap<InvariantName, number> {
    return this.#counts;
  }

  /**
   * Counts and logs an invariant that does not hold.
   *
   * @param isMet - whether it holds
   * @param details - what helps to find the bug. It MUST NOT have messages or topics of clients
   * @returns `isMet`
   */
  check(isMet: boolean, name: InvariantName, details: object): boolean {
    if (isMet) return true;
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    this.#logger.error(
      { invariant: name, count, ...details },
      `An invariant of the server is broken: ${invariants[name]} Please report this with the log lines around it.`,
    );
    return false;
  }
}
