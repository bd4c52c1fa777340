import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  formatOffset,
  matches,
  overlaps,
  parseOffset,
  type Offset,
  type Topic,
  type WebhookStats,
} from '@fanfare/protocol';
import type { LogRecord, MayRead, Page, PageLimit, Position, TopicLog } from '../log/topic-log.ts';
import { webhookNameOf, type Rule, type Rules, type WebhookEvent } from '../rules/rule.ts';
import { Attempts, Lanes, type Failure } from './attempts.ts';
import { EventQueue, isPast } from './event-queue.ts';
import { addMissing, encodeMessageBody, idOf, type Missing, type TopicEvent } from './payload.ts';
import type { WebhookPlace } from './position-file.ts';
import type { Receiver } from './receiver.ts';
import { Window } from './window.ts';

/** After this many records of other topics, the position moves on without a message to deliver. */
const unreadMax = 4_096;

/** How long a webhook waits if the log cannot be read. */
const retryMs = 1_000;

export interface WebhookParts {
  readonly rule: Rule;
  readonly on: readonly WebhookEvent[];
  readonly rules: Rules;
  readonly log: TopicLog;
  readonly receiver: Receiver;
  readonly url: URL;
  readonly secrets: readonly Buffer[];
  readonly place: WebhookPlace | undefined;
  readonly now: () => number;
  /** Called when the place has changed. */
  readonly onChange: () => void;
  readonly reports: WebhookReports;
}

/** Tells the operator what a webhook meets. */
export interface WebhookReports {
  /** Undefined if the receiver accepts requests again. */
  readonly failing: (webhook: string, failure: Failure | undefined) => void;
  readonly gone: (webhook: string) => void;
  readonly gap: (webhook: string, missing: Missing) => void;
  readonly eventDropped: (webhook: string) => void;
  readonly unreadable: (webhook: string, error: unknown) => void;
}

/** The webhook of one rule: a reader of the log that posts what it reads. */
export class Webhook {
  /** The `match` of the rule. */
  readonly name: string;
  readonly #parts: WebhookParts;
  readonly #on: ReadonlySet<WebhookEvent>;
  readonly #mayRead: MayRead | undefined;
  readonly #attempts: Attempts;
  readonly #lanes: Lanes;
  readonly #window: Window;
  readonly #events: EventQueue;
  /** Everything up to here was read. Undefined if the webhook wants no messages. */
  #position: Position | undefined;
  /** The place of the last run, until the log has found what is after it. */
  #resumeAt: Offset | undefined;
  #missing: Missing | undefined;
  #isReading = false;
  #isStopped = false;
  #state: WebhookStats['state'] = 'delivering';
  #delivered = 0;
  #failures = 0;
  #gaps = 0;
  #lastFailure: Failure | undefined;

  constructor(parts: WebhookParts) {
    const { rule, rules, on, place, now } = parts;
    this.#parts = parts;
    this.name = webhookNameOf(rule) ?? rule.match;
    this.#on = new Set(on);
    this.#missing = place?.gap;
    // The first rule that matches a topic applies to it. Usually no earlier one can.
    const earlier = rules.all.slice(0, rules.all.indexOf(rule));
    const isAlone = earlier.every(({ match }) => !overlaps(match, rule.match));
    this.#mayRead = isAlone ? undefined : (topic) => webhookNameOf(rules.of(topic)) === this.name;
    this.#attempts = new Attempts({
      receiver: parts.receiver,
      secrets: parts.secrets,
      now,
      onDelivered: () => this.#noteDelivered(),
      onFailure: (failure) => this.#noteFailure(failure),
      onGone: (failure) => this.#noteGone(failure),
    });
    this.#lanes = new Lanes(this.#attempts);
    this.#window = new Window(() => this.#move());
    this.#events = new EventQueue(place?.events ?? [], parts.onChange);
  }

  /** Begins to deliver. A new webhook starts with the messages that are published from now on. */
  async start(): Promise<void> {
    const { log, rule, place } = this.#parts;
    if (!this.#on.has('message')) return this.#release(Infinity);
    this.#resumeAt = parseOffset(place?.offset);
    this.#position =
      this.#resumeAt ?? (await log.locate(rule.match, { kind: 'new' }, this.#mayRead)).position;
    this.#wake();
  }

  /** The log has new records. MUST NOT take long, because publishers wait for it. */
  onRecords(records: readonly LogRecord[]): void {
    const { rule, log } = this.#parts;
    if (this.#isReading || !this.#position || !this.#hasSpace) return;
    if (
      log.head - this.#position.sequence > unreadMax ||
      records.some(({ topic }) => matches(rule.match, topic))
    )
      this.#wake();
  }

  /** Something has happened to a topic that the rule decides about. */
  onEvent(type: TopicEvent['type'], topic: Topic): void {
    if (!this.#on.has(type)) return;
    const { log, now, onChange, reports } = this.#parts;
    const { dropped } = this.#events;
    const after = formatOffset({ epoch: log.epoch, sequence: log.head });
    const id = `evt_${randomBytes(15).toString('base64url')}`;
    this.#events.add({ id, type, topic, time: now(), after });
    if (this.#events.dropped > dropped) reports.eventDropped(this.name);
    onChange();
    if (this.#position) this.#wake();
    else this.#release(Infinity);
  }

  /** How far the webhook is, so that a restart can continue. */
  get place(): WebhookPlace {
    const { oldest, gap } = this.#window;
    const position = oldest ? { epoch: oldest.epoch, sequence: oldest.sequence - 1 } : this.#position;
    const missing = gap && this.#missing ? addMissing(gap, this.#missing) : (gap ?? this.#missing);
    return {
      ...(position && { offset: formatOffset(position) }),
      ...(missing && { gap: missing }),
      events: this.#events.all,
    };
  }

  get stats(): WebhookStats {
    const { offset } = this.place;
    const times = [this.#window.oldest?.time, this.#events.oldestTime].filter((time) => time !== undefined);
    return {
      match: this.name,
      origin: this.#parts.url.origin,
      state: this.#state,
      delivered: this.#delivered,
      failures: this.#failures,
      waiting: this.#window.size + this.#events.size,
      ...(times.length > 0 && { waitingSince: Math.min(...times) }),
      gaps: this.#gaps,
      eventsDropped: this.#events.dropped,
      ...(offset !== undefined && { offset }),
      ...(this.#lastFailure && { lastFailure: this.#lastFailure }),
    };
  }

  /** Begins no further request. Open requests can end within the time. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    await this.#attempts.stop(graceMs);
  }

  get #hasSpace(): boolean {
    return !this.#isStopped && this.#window.hasSpace;
  }

  /** Reads what the log has, in a later turn. */
  #wake(): void {
    if (this.#isReading || !this.#hasSpace) return;
    this.#isReading = true;
    void this.#read();
  }

  async #read(): Promise<void> {
    const { log, rule, reports } = this.#parts;
    try {
      do {
        // Publishers and other readers come first.
        await nextTurn();
        if (this.#resumeAt) await this.#resume(this.#resumeAt);
        const position = this.#position;
        if (!position || !this.#hasSpace) break;
        const limit: PageLimit = this.#window.pageLimit;
        this.#take(await log.read(rule.match, position, limit, this.#mayRead));
      } while (this.#hasSpace && !this.#isAtHead);
    } catch (error) {
      if (!this.#isStopped) reports.unreadable(this.name, error);
      setTimeout(() => this.#wake(), retryMs).unref();
    } finally {
      this.#isReading = false;
    }
  }

  async #resume(offset: Offset): Promise<void> {
    const { log, rule } = this.#parts;
    const from = { kind: 'offset' as const, offset };
    const { position, recovered } = await log.locate(rule.match, from, this.#mayRead);
    this.#resumeAt = undefined;
    this.#position = position;
    if (recovered === false) this.#noteGap({});
  }

  get #isAtHead(): boolean {
    const { log } = this.#parts;
    return this.#position?.sequence === log.head && this.#position.epoch === log.epoch;
  }

  #take({ records, position, dropped }: Page): void {
    if (dropped !== 0) this.#noteGap({ dropped });
    for (const record of records) {
      this.#release(record.sequence - 1);
      const entry = this.#window.add(record, this.#missing);
      this.#missing = undefined;
      this.#lanes.add({
        id: idOf(record),
        topic: record.topic,
        encode: () => encodeMessageBody(record, entry.gap),
        onDelivered: () => this.#window.done(entry),
      });
    }
    this.#position = position;
    this.#release(position.sequence);
    this.#parts.onChange();
  }

  /** Delivers the events that happened before a place. */
  #release(sequence: number): void {
    const { epoch } = this.#parts.log;
    for (const delivery of this.#events.take((event) => isPast(event, epoch, sequence)))
      this.#lanes.add(delivery);
  }

  /** The oldest message of the window was delivered. */
  #move(): void {
    this.#parts.onChange();
    if (!this.#isAtHead) this.#wake();
  }

  #noteGap(missing: Parameters<typeof addMissing>[1]): void {
    this.#gaps++;
    this.#missing = addMissing(this.#missing, missing);
    this.#parts.reports.gap(this.name, this.#missing);
  }

  #noteDelivered(): void {
    this.#delivered++;
    if (this.#state === 'failing') {
      this.#state = 'delivering';
      this.#parts.reports.failing(this.name, undefined);
    }
  }

  #noteFailure(failure: Failure): void {
    this.#failures++;
    this.#lastFailure = failure;
    if (this.#state !== 'delivering' || this.#isStopped) return;
    this.#state = 'failing';
    this.#parts.reports.failing(this.name, failure);
  }

  #noteGone(failure: Failure): void {
    this.#state = 'gone';
    this.#noteFailure(failure);
    this.#parts.reports.gone(this.name);
  }
}
