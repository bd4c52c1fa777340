import { grouped } from './grouped.ts';
import type { Fault, FaultKind, History, Kept, Outcome, Publish } from './history.ts';
import { isOf, placeOf, type Place } from './place.ts';

/** A message whose place is known: from the log as it was read at the end, or from an acknowledgement. */
export interface Placed extends Place {
  readonly topic: string;
  readonly content: string;
  readonly time: number;
  readonly id?: string;
  /** Whether the log has it at the end. */
  readonly isKept: boolean;
}

/** The known places of messages, and the faults found so far. */
export class Ledger {
  readonly faults: Fault[] = [];
  readonly #attempts: ReadonlyMap<string, readonly Publish[]>;
  readonly #placed: ReadonlyMap<string, Placed>;
  readonly #inOrder: readonly Placed[];
  readonly #isOf = new Map<string, boolean>();
  readonly #byInterest = new Map<string, readonly Placed[]>();
  readonly #keep: ReadonlyMap<string, number>;
  readonly #epoch: string | undefined;

  constructor({ publishes, kept, keep = {} }: History) {
    this.#attempts = grouped(publishes, ({ content }) => content);
    this.#keep = new Map(Object.entries(keep));
    this.#epoch = kept[0] && placeOf(kept[0].offset).epoch;
    const placed = new Map<string, Placed>();
    for (const each of kept) {
      if (!placed.has(each.content))
        placed.set(each.content, { ...each, ...placeOf(each.offset), isKept: true });
    }
    for (const { outcome, topic, content, id } of publishes) {
      if (outcome.kind !== 'ok' || placed.has(content)) continue;
      const place = placeOf(outcome.offset);
      placed.set(content, {
        ...place,
        topic,
        content,
        time: outcome.time,
        ...(id !== undefined && { id }),
        isKept: false,
      });
    }
    this.#placed = placed;
    this.#inOrder = [...placed.values()].toSorted((a, b) => a.sequence - b.sequence);
  }

  report(kind: FaultKind, detail: string): void {
    this.faults.push({ kind, detail });
  }

  attemptsOf(content: string): readonly Publish[] {
    return this.#attempts.get(content) ?? [];
  }

  placed(content: string): Placed | undefined {
    return this.#placed.get(content);
  }

  isOf(interest: string, topic: string): boolean {
    const key = JSON.stringify([interest, topic]);
    const known = this.#isOf.get(key) ?? isOf(interest, topic);
    this.#isOf.set(key, known);
    return known;
  }

  /** In the order of the log. */
  matching(interest: string): readonly Placed[] {
    let found = this.#byInterest.get(interest);
    if (!found) {
      found = this.#inOrder.filter(({ topic }) => this.isOf(interest, topic));
      this.#byInterest.set(interest, found);
    }
    return found;
  }

  /** Those of {@link matching} after a place and up to another one. */
  between(interest: string, after: number, through: number): readonly Placed[] {
    const all = this.matching(interest);
    return all.slice(firstAfter(all, after), firstAfter(all, through));
  }

  isOtherEpoch(epoch: string): boolean {
    return this.#epoch !== undefined && epoch !== this.#epoch;
  }

  isBeyondHead(sequence: number): boolean {
    return sequence > (this.#inOrder.at(-1)?.sequence ?? 0);
  }

  /** Whether retention may have dropped messages that the interest matches. */
  mayBeTrimmed(interest: string): boolean {
    return [...this.#keep.keys()].some((topic) => isOf(interest, topic));
  }

  /** Whether retention may have dropped a message, because its topic has enough newer ones. */
  isTrimmed({ topic, sequence }: Pick<Placed, 'topic' | 'sequence'>): boolean {
    const keep = this.#keep.get(topic);
    if (keep === undefined) return false;
    const newer = this.between(topic, sequence, Infinity);
    return newer.filter(({ isKept }) => isKept).length >= keep;
  }

  /** Reports a message, in the log or delivered, that differs from every message that was sent. */
  strangeness(
    { topic, content, id }: Pick<Kept, 'topic' | 'content' | 'id'>,
    hasId = true,
  ): string | undefined {
    const attempts = this.attemptsOf(content);
    const [first] = attempts;
    if (!first) return 'nobody sent it';
    if (first.topic !== topic) return `it was sent to ${first.topic}`;
    if (hasId && first.id !== id) return `it was sent with the id ${first.id}`;
    const refusals = attempts.map(({ outcome }) => refusalOf(outcome));
    if (refusals.every((code) => code !== undefined)) return `it was refused: ${refusals.join(', ')}`;
    return undefined;
  }
}

/** The index of the first message after a place. */
function firstAfter(all: readonly Placed[], place: number): number {
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((all[middle]?.sequence ?? Infinity) > place) high = middle;
    else low = middle + 1;
  }
  return low;
}

function refusalOf(outcome: Outcome): string | undefined {
  return outcome.kind === 'fail' ? outcome.code : undefined;
}
