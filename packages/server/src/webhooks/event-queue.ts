import { parseOffset } from '@fanfare/protocol';
import type { Delivery } from './attempts.ts';
import { addMissing, encodeEventBody, type Missing, type TopicEvent } from './payload.ts';

/** Maximum number of events of one webhook that are not delivered. */
const eventsMax = 4_096;

/** The events of one webhook that are not delivered. They wait for the messages that came before them. */
export class EventQueue {
  /** In the order in which they happened. */
  readonly #undelivered = new Map<string, TopicEvent>();
  /** Those of them that wait for messages. */
  readonly #waiting: TopicEvent[] = [];
  #missing: Missing | undefined;
  #dropped = 0;
  readonly #onDelivered: () => void;

  constructor(earlier: readonly TopicEvent[], onDelivered: () => void) {
    this.#onDelivered = onDelivered;
    for (const event of earlier) this.#add(event);
  }

  /** The number of events that were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  get size(): number {
    return this.#undelivered.size;
  }

  get all(): readonly TopicEvent[] {
    return [...this.#undelivered.values()];
  }

  get oldestTime(): number | undefined {
    const [oldest] = this.#undelivered.values();
    return oldest?.time;
  }

  /** Adds an event. If the queue is full, the event is dropped, and the next one says so. */
  add(event: TopicEvent): void {
    if (this.#undelivered.size >= eventsMax) {
      this.#dropped++;
      this.#missing = addMissing(this.#missing, { dropped: 1 });
      return;
    }
    this.#add(this.#missing ? { ...event, gap: this.#missing } : event);
    this.#missing = undefined;
  }

  /** Takes the events that do not wait for messages any more. */
  take(isDue: (event: TopicEvent) => boolean): readonly Delivery[] {
    let count = 0;
    for (const event of this.#waiting) {
      if (!isDue(event)) break;
      count++;
    }
    return this.#waiting.splice(0, count).map((event) => ({
      id: event.id,
      topic: event.topic,
      encode: () => encodeEventBody(event),
      onDelivered: () => {
        this.#undelivered.delete(event.id);
        this.#onDelivered();
      },
    }));
  }

  #add(event: TopicEvent): void {
    this.#undelivered.set(event.id, event);
    this.#waiting.push(event);
  }
}

/** Whether all messages before an event were read: up to a sequence in the log of an epoch. */
export function isPast({ after }: TopicEvent, epoch: string, sequence: number): boolean {
  const offset = parseOffset(after);
  // Messages of another log do not come any more.
  return offset?.epoch !== epoch || offset.sequence <= sequence;
}
