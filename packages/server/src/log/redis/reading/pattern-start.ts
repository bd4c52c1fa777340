import type { From } from '@fanfare/protocol';
import type { Rules } from '../../../rules/rule.ts';
import type { Start } from '../../topic-log.ts';
import type { At, PatternStart, ReadingLibrary, Survey } from '../library.ts';
import type { PatternFilter } from './pattern-filter.ts';

/** The number of names that are asked for at once. It keeps Redis busy for a millisecond. */
const namesPerCall = 500;

/**
 * Finds the position at which a pattern's reader starts. Near the head, the journal tells enough. Otherwise
 * it asks for all topics with the beginning of the pattern. The first page reports messages that are dropped
 * meanwhile.
 */
export async function locatePattern(
  reading: ReadingLibrary,
  filter: PatternFilter,
  from: From,
  rules: Rules,
): Promise<At<Start>> {
  const { state, value } = await reading.patternStart(from);
  const { epoch } = state;
  const { sequence, changes, kind } = value;
  if (from.kind === 'new') return { state, value: { position: { epoch, sequence, changes }, due: 0 } };
  if (kind === 'unknown' || kind === 'ahead') {
    const start = await locatePattern(reading, filter, { kind: 'earliest' }, rules);
    return { state: start.state, value: { ...start.value, recovered: false } };
  }
  const search = new Search(reading, filter, from, rules);
  await search.run(value);
  const newest = from.kind === 'last' ? { newest: { count: from.count, through: sequence } } : {};
  const isRecovered = kind === 'ours' && !search.isLost && !filter.isAnyWanted(value.deleted);
  return {
    state,
    value: {
      position: { epoch, sequence: search.place, changes, ...newest },
      ...(from.kind === 'offset' && { recovered: isRecovered }),
      due: search.due,
    },
  };
}

/** Adds up what counts for the start over all wanted topics. */
class Search {
  /** The number of stored messages after the start. */
  due = 0;
  /** Whether a message after the start may be missing. */
  isLost = false;
  /** The position to start from. */
  place = 0;
  readonly #reading: ReadingLibrary;
  readonly #filter: PatternFilter;
  readonly #from: From;
  readonly #rules: Rules;

  constructor(reading: ReadingLibrary, filter: PatternFilter, from: From, rules: Rules) {
    this.#reading = reading;
    this.#filter = filter;
    this.#from = from;
    this.#rules = rules;
  }

  async run({ sequence, after: known }: PatternStart): Promise<void> {
    this.place = sequence;
    if (known && !this.#rules.mayKeepNothing(this.#filter.pattern)) {
      for (const { topic, due, isLost } of known) {
        if (this.#filter.isWanted(topic)) this.#add([{ due, isLost }]);
      }
      return;
    }
    let after: string | undefined;
    for (let isLast = false; !isLast;) {
      const { prefix } = this.#filter;
      const query = { prefix, limit: namesPerCall, ...(after !== undefined && { after }) };
      const { topics, isEnd } = await this.#reading.names(query);
      const wanted = topics.filter((topic) => this.#filter.isWanted(topic));
      this.isLost ||= wanted.some((topic) => this.#rules.of(topic).keep === 'none');
      if (wanted.length > 0) this.#add(await this.#reading.survey(this.#from, sequence, wanted));
      after = topics.at(-1);
      isLast = isEnd;
    }
  }

  #add(surveys: readonly Survey[]): void {
    for (const { due, place, isLost } of surveys) {
      this.due += due;
      this.isLost ||= isLost;
      if (place !== undefined) this.place = Math.min(this.place, place);
    }
  }
}
