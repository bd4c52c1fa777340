import { grouped } from './grouped.ts';
import type { Fault, FaultKind, History, Kept, Outcome, Publish } from './history.ts';
import { Lineage } from './lineage.ts';
import { isOf, type Place } from './place.ts';

/**
 * A message whose place is known: from the log as it was read at the end, or from an acknowledgement. Its
 * sequence is the rank of its place, see {@link Lineage}.
 */
export interface Placed extends Place {
  readonly offset: string;
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
  /** Places that the log has lost, and was allowed to lose, by offset. Their messages can have others too. */
  readonly #lost = new Map<string, Placed>();
  readonly #inOrder: readonly Placed[];
  readonly #isOf = new Map<string, boolean>();
  readonly #byInterest = new Map<string, readonly Placed[]>();
  readonly #keep: ReadonlyMap<string, number>;
  readonly lineage: Lineage;

  constructor(history: History) {
    const { publishes, kept, keep = {} } = history;
    this.lineage = new Lineage(history);
    this.#attempts = grouped(publishes, ({ content }) => content);
    this.#keep = new Map(Object.entries(keep));
    const placed = new Map<string, Placed>();
    for (const each of kept) {
      if (!placed.has(each.content))
        placed.set(each.content, { ...each, ...this.lineage.place(each.offset), isKept: true });
    }
    for (const { outcome, topic, content, id } of publishes) {
      if (outcome.kind !== 'ok') continue;
      const { offset, time } = outcome;
      const known = { offset, topic, content, time, ...(id !== undefined && { id }) };
      if (this.lineage.mayBeLost(offset)) this.#lose(known);
      else if (!placed.has(content))
        placed.set(content, { ...known, ...this.lineage.place(offset), isKept: false });
    }
    this.#loseDelivered(history);
    for (const each of this.#lost.values()) if (!placed.has(each.content)) placed.set(each.content, each);
    this.#placed = placed;
    const all = new Set([...placed.values(), ...this.#lost.values()]);
    this.#inOrder = [...all].toSorted((a, b) => a.sequence - b.sequence);
  }

  /** Notes the places of messages that nobody acknowledged, and that were delivered before they were lost. */
  #loseDelivered({ subscriptions }: History): void {
    if (!this.lineage.mayLose) return;
    for (const event of subscriptions.flatMap(({ events }) => events)) {
      if (event.kind !== 'message' || event.offset === undefined) continue;
      const { offset, topic, content, time = 0, id } = event;
      if (this.lineage.mayBeLost(offset))
        this.#lose({ offset, topic, content, time, ...(id !== undefined && { id }) });
    }
  }

  #lose(message: Kept): void {
    if (this.#lost.has(message.offset)) return;
    this.#lost.set(message.offset, { ...message, ...this.lineage.place(message.offset), isKept: false });
  }

  report(kind: FaultKind, detail: string): void {
    this.faults.push({ kind, detail });
  }

  attemptsOf(content: string): readonly Publish[] {
    return this.#attempts.get(content) ?? [];
  }

  /**
   * The place of a message.
   *
   * @param offset - where it was seen: a message that the log has lost can be there a second time, elsewhere
   */
  placed(content: string, offset?: string): Placed | undefined {
    const lost = offset === undefined ? undefined : this.#lost.get(offset);
    return lost?.content === content ? lost : this.#placed.get(content);
  }

  /** The acknowledged messages that the log has lost, and was allowed to lose. */
  get lostAcknowledged(): number {
    const acknowledged = [...this.#attempts.values()].flat().flatMap(({ outcome }) => {
      return outcome.kind === 'ok' && this.lineage.mayBeLost(outcome.offset) ? [outcome.offset] : [];
    });
    return new Set(acknowledged).size;
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
    return this.lineage.isUnknown(epoch);
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
