import { suppressRepeats } from './repeat-suppression.ts';
import type { Logger } from './logger.ts';

/** The invariants of the server. If one of them does not hold, Fanfare has a bug, whatever clients do. */
const invariants = {
  commit_order: 'The sequences of a commit increase, and are greater than the head of the log.',
  tail_order: 'Records reach the tail in the order of the log.',
  page_order: 'A page has the records after its position, in the order of the log.',
  outcome_committed: 'An outcome is given only for a record that is committed.',
} as const;

export type InvariantName = keyof typeof invariants;

export const invariantNames: readonly InvariantName[] = Object.keys(invariants) as InvariantName[];

/**
 * Reports broken invariants to operators: counts each by its name, and logs it at most once a minute. It
 * never throws. A caller stops only if messages would otherwise be lost or reordered.
 */
export class Invariants {
  readonly #logger: Logger;
  readonly #counts = new Map<InvariantName, number>();

  /** @param monotonicMs - a clock that never goes back, in milliseconds */
  constructor(logger: Logger, monotonicMs: () => number = () => performance.now()) {
    this.#logger = suppressRepeats(logger, monotonicMs);
  }

  /** The number of times that each invariant was broken. */
  get counts(): ReadonlyMap<InvariantName, number> {
    return this.#counts;
  }

  /**
   * Counts and logs an invariant that does not hold.
   *
   * @param isMet - whether it holds
   * @param details - data that helps to find the bug. MUST NOT contain messages or topics of clients
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
