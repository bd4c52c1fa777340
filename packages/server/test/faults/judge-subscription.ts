import type { Delivery, State, Subscribed, Subscription, SubscriptionEvent } from './history.ts';
import type { Ledger } from './ledger.ts';
import { isOffset, type Place } from './place.ts';

/** Compares the deliveries to a subscription with the log. */
export function judgeSubscription(subscription: Subscription, ledger: Ledger): void {
  const runs: { readonly start: Subscribed; readonly events: SubscriptionEvent[] }[] = [];
  for (const event of subscription.events) {
    if (event.kind === 'subscribed') runs.push({ start: event, events: [] });
    else if (runs.length > 0) runs.at(-1)?.events.push(event);
    else ledger.report('misstated', `${subscription.client} got ${event.kind} before any acknowledgement`);
  }
  let reached: number | undefined;
  for (const [at, { start, events }] of runs.entries()) {
    const run = new Run(subscription, ledger, start, events);
    run.begin(reached);
    for (const event of events) run.take(event);
    run.end(at === runs.length - 1 && subscription.isComplete);
    reached = run.reached;
  }
}

/**
 * A run of a subscription: from one acknowledgement of `subscribe` until the connection or subscription ends,
 * or the subscription starts again.
 */
class Run {
  readonly #name: string;
  readonly #interest: string;
  readonly #hasStates: boolean;
  readonly #ledger: Ledger;
  readonly #start: Subscribed;
  /** All messages that the run got: their places, or their contents if they have no place. */
  readonly #all: ReadonlySet<unknown>;
  readonly #delivered = new Set<unknown>();
  /** The number of missing messages in the notices, by the topic or pattern that they name. */
  readonly #told = new Map<string, number>();
  /** The place up to which no message is missing without a notice, by topic. */
  readonly #checked = new Map<string, number>();
  /** The run must get all messages after this place. */
  #floor: number;
  /** The run got everything up to this place, or a notice said so. */
  #through: number;
  #last: number;
  #state: State;
  /** Whether a notice without a number has said that the log lost messages, since the last place. */
  #isToldOfLoss = false;

  constructor(
    { client, interest, form }: Subscription,
    ledger: Ledger,
    start: Subscribed,
    events: readonly SubscriptionEvent[],
  ) {
    this.#name = `${client} on ${interest} (${form}) from ${start.from} at ${start.offset}`;
    this.#interest = interest;
    this.#hasStates = form === 'envelope';
    this.#ledger = ledger;
    this.#start = start;
    this.#all = new Set(events.flatMap((event) => (event.kind === 'message' ? [this.#keyOf(event)] : [])));
    this.#floor = this.#place(start.offset).sequence;
    this.#through = this.#floor;
    this.#last = this.#floor;
    this.#state = start.state;
  }

  get #isFromEarliest(): boolean {
    return this.#start.from === 'earliest' || this.#start.recovered === false;
  }

  /** The place from which its client may resume. */
  get reached(): number {
    return this.#last;
  }

  begin(reachedBefore: number | undefined): void {
    const { from, offset, recovered } = this.#start;
    const start = this.#place(offset);
    if (this.#ledger.isOtherEpoch(start.epoch)) this.#fault('moved', 'starts in another epoch');
    if (!isOffset(from)) {
      if (recovered !== undefined) this.#fault('misstated', `says recovered: ${recovered}`);
      if (from === 'earliest') this.#mustStartAtEarliest(0);
      return;
    }
    const asked = this.#place(from);
    const isLost = this.#ledger.lineage.isLost(asked.sequence);
    if (recovered === undefined) this.#fault('misstated', 'does not say whether it recovered');
    if (recovered === false) {
      const isGone = this.#ledger.isOtherEpoch(asked.epoch) || this.#ledger.isBeyondHead(asked.sequence);
      // PROTOCOL 3.5: it starts at the earliest message after the offset, or of the log if the offset is from
      // another one.
      this.#mustStartAtEarliest(isGone ? 0 : asked.sequence);
      if (!isGone && !isLost && !this.#ledger.mayBeTrimmed(this.#interest)) {
        this.#fault('needlessGap', 'is not recovered, though the log has everything');
      }
      return;
    }
    if (this.#ledger.isOtherEpoch(asked.epoch)) this.#fault('silentGap', 'recovered from another epoch');
    if (isLost) this.#fault('silentGap', 'recovered from a place that the log has lost');
    const since = Math.min(asked.sequence, reachedBefore ?? asked.sequence);
    for (const { content, sequence } of this.#ledger.between(this.#interest, since, start.sequence)) {
      if (!this.#ledger.lineage.isLost(sequence))
        this.#fault('silentGap', `starts after ${content} at ${sequence}`);
    }
    this.#floor = Math.max(start.sequence, asked.sequence);
    this.#through = this.#last = this.#floor;
  }

  take(event: SubscriptionEvent): void {
    switch (event.kind) {
      case 'message':
        this.#deliver(event);
        break;
      case 'state':
        this.#changeState(event.state, this.#place(event.offset).sequence);
        break;
      case 'gap': {
        if (event.dropped === undefined && this.#ledger.lineage.mayLose) {
          this.#isToldOfLoss = true;
          break;
        }
        const told = this.#told.get(event.topic) ?? 0;
        this.#told.set(event.topic, told + (event.dropped ?? Infinity));
        break;
      }
      case 'subscribed':
        throw new Error('a run has one start');
    }
  }

  /** @param isComplete - whether the subscription had time to get all messages */
  end(isComplete: boolean): void {
    const through = isComplete ? Infinity : this.#through;
    for (const topic of new Set(this.#ledger.matching(this.#interest).map((each) => each.topic)))
      this.#check(topic, through);
    if (isComplete) this.#checkLoss(Infinity);
    if (this.#ledger.mayBeTrimmed(this.#interest)) return;
    for (const [topic, count] of this.#told) {
      if (count > 0)
        this.#fault('needlessGap', `was told of ${count} missing of ${topic}, and they were not`);
    }
  }

  #deliver(delivery: Delivery): void {
    const { topic, content, offset, time, replay } = delivery;
    const what = `${content} of ${topic}`;
    const known = this.#ledger.placed(content, offset);
    const strangeness = this.#ledger.strangeness(delivery, this.#hasStates);
    if (strangeness !== undefined) this.#fault('phantom', `got ${what}: ${strangeness}`);
    else if (!known && !this.#ledger.mayBeTrimmed(topic)) {
      this.#fault('phantom', `got ${what}, which the log does not have`);
    }
    if (!this.#matches(topic)) this.#fault('misstated', `got ${what}, which it does not match`);
    if (this.#hasStates) {
      if (offset === undefined) this.#fault('misstated', `got ${what} without an offset`);
      this.#checkState(what, replay);
    }
    if (known && offset !== undefined) {
      if (offset !== known.offset || time !== known.time) {
        this.#fault('moved', `got ${what} at ${offset}, ${time}; it is at ${known.offset}, ${known.time}`);
      }
    }
    const sequence = known?.sequence ?? (offset === undefined ? undefined : this.#place(offset).sequence);
    if (sequence !== undefined) this.#move(what, topic, this.#keyOf(delivery), sequence);
  }

  #move(what: string, topic: string, key: unknown, sequence: number): void {
    this.#checkLoss(sequence);
    if (this.#delivered.has(key)) this.#fault('duplicate', `got ${what} twice`);
    else if (sequence <= this.#floor)
      this.#fault('duplicate', `got ${what} at ${sequence}, before its start`);
    else if (sequence < this.#last)
      this.#fault('reordered', `got ${what} at ${sequence} after ${this.#last}`);
    else if (sequence <= this.#through) this.#fault('misstated', `got ${what}, and was told to be further`);
    this.#delivered.add(key);
    if (this.#matches(topic)) this.#check(topic, sequence - 1);
    this.#last = Math.max(this.#last, sequence);
    this.#through = Math.max(this.#through, sequence);
  }

  /** Checks that all messages of a topic up to a place were delivered or reported as missing. */
  #check(topic: string, through: number): void {
    const from = Math.max(this.#floor, this.#checked.get(topic) ?? 0);
    // A reader from the earliest message need not get messages that were dropped before.
    const isFirst = this.#isFromEarliest && !this.#checked.has(topic);
    for (const { content, sequence, isKept } of this.#ledger.between(topic, from, through)) {
      if (this.#all.has(sequence) || (isFirst && !isKept)) continue;
      // Only who was past the cut can be told: to others, a lost message looks like one that never was.
      if (this.#ledger.lineage.isLost(sequence) && this.#ledger.lineage.mayLose) continue;
      const teller = [topic, this.#interest].find((each) => (this.#told.get(each) ?? 0) > 0);
      if (teller === undefined) this.#fault('silentGap', `missed ${content} at ${sequence}`);
      else {
        this.#told.set(teller, (this.#told.get(teller) ?? 0) - 1);
        if (isKept) this.#fault('needlessGap', `was told that ${content} at ${sequence} is missing`);
      }
    }
    this.#checked.set(topic, Math.max(from, through));
  }

  /** Checks that a run is told of the loss before it goes on from a place that the log has lost. */
  #checkLoss(next: number): void {
    const { lineage } = this.#ledger;
    const isFurther = next === Infinity || !lineage.isLost(next);
    if (isFurther && !this.#isToldOfLoss && lineage.isLost(this.#through)) {
      this.#fault('silentGap', `was not told that the log has lost messages up to ${this.#through}`);
      // Once is enough.
      this.#isToldOfLoss = true;
    }
  }

  #changeState(state: State, sequence: number): void {
    if (state === this.#state) this.#fault('misstated', `was told twice that it is ${state}`);
    if (sequence < this.#last) this.#fault('misstated', `is ${state} at ${sequence}, and had ${this.#last}`);
    this.#state = state;
    this.#through = Math.max(this.#through, sequence);
  }

  #checkState(what: string, replay: string | undefined): void {
    const expected = this.#state === 'live' ? undefined : this.#interest;
    if (replay !== expected) this.#fault('misstated', `got ${what} with replay ${replay}, ${this.#state}`);
  }

  #mustStartAtEarliest(after: number): void {
    for (const { content, sequence, isKept } of this.#ledger.between(
      this.#interest,
      after,
      this.#place(this.#start.offset).sequence,
    )) {
      if (isKept) this.#fault('silentGap', `does not start at the earliest: ${content} at ${sequence}`);
    }
  }

  /** What tells the messages of the run apart. */
  #keyOf({ content, offset }: Pick<Delivery, 'content' | 'offset'>): unknown {
    return this.#ledger.placed(content, offset)?.sequence ?? content;
  }

  #place(offset: string): Place {
    return this.#ledger.lineage.place(offset);
  }

  #matches(topic: string): boolean {
    return this.#ledger.isOf(this.#interest, topic);
  }

  #fault(kind: Parameters<Ledger['report']>[0], detail: string): void {
    this.#ledger.report(kind, `${this.#name}: ${detail}`);
  }
}
