import { isPattern, matches, type Interest, type Pattern, type Topic } from '@fanfare/protocol';
import type { MayRead } from '../../topic-log.ts';
import type { Losses } from '../library.ts';

/** Selects the topics for a reader of a pattern. It tries each topic once. */
export class PatternFilter {
  readonly pattern: Pattern;
  readonly #mayRead: MayRead | undefined;
  readonly #known = new Map<Topic, boolean>();

  constructor(pattern: Pattern, mayRead: MayRead | undefined) {
    this.pattern = pattern;
    this.#mayRead = mayRead;
  }

  isWanted(topic: Topic): boolean {
    let isWanted = this.#known.get(topic);
    if (isWanted === undefined) {
      isWanted = matches(this.pattern, topic) && (this.#mayRead?.(topic) ?? true);
      this.#known.set(topic, isWanted);
    }
    return isWanted;
  }

  /** Whether the reader wants any of the lost topics. It can be true if it wants none. */
  isAnyWanted({ isUnknown, topics, segments }: Losses): boolean {
    if (isUnknown) return true;
    const [first = ''] = this.pattern.split('/', 1);
    const isSegmentWanted = segments.some((segment) => isPattern(first as Interest) || segment === first);
    return isSegmentWanted || topics.some((topic) => this.isWanted(topic));
  }

  /** The beginning that all names of the pattern have. */
  get prefix(): string {
    const segments = this.pattern.split('/');
    const wildcard = segments.findIndex((segment) => segment === '*' || segment === '**');
    if (wildcard <= 0) return '';
    const fixed = segments.slice(0, wildcard).join('/');
    // `a/**` matches `a` too.
    return segments[wildcard] === '*' ? `${fixed}/` : fixed;
  }
}
