import type { Interest, Topic, WebhookStats } from '@fanfare/protocol';
import type { LogRecord, TopicLog } from '../log/topic-log.ts';
import type { TopicWatcher } from '../message-path/topic-watcher.ts';
import { webhookNameOf, type Rule, type Rules } from '../rules/rule.ts';
import { Occupancy } from './occupancy.ts';
import type { PlaceStore, Places } from './position-file.ts';
import type { Receiver } from './receiver.ts';
import { Webhook, type WebhookReports } from './webhook.ts';

/** How long open requests can take when the server stops. Later they count as failed, and are made again. */
const stopMs = 1_000;

/** The webhook of a rule, ready to be used. */
export interface OpenedWebhook {
  readonly rule: Rule & Required<Pick<Rule, 'webhook'>>;
  readonly url: URL;
  readonly secrets: readonly Buffer[];
  readonly receiver: Receiver;
}

export interface WebhooksParts {
  readonly webhooks: readonly OpenedWebhook[];
  readonly rules: Rules;
  readonly log: TopicLog;
  readonly store: PlaceStore;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  readonly reports: WebhookReports;
}

/** The webhooks of all rules. */
export class Webhooks implements TopicWatcher {
  readonly #store: PlaceStore;
  readonly #rules: Rules;
  readonly #all: readonly Webhook[];
  /** A reload replaces the rules, but not what their webhooks are known by. */
  readonly #byName: ReadonlyMap<string | undefined, Webhook>;
  readonly #occupancy: Occupancy;

  constructor({ webhooks, store, ...parts }: WebhooksParts) {
    const { rules } = parts;
    this.#store = store;
    this.#rules = rules;
    const onChange = (): void => store.noteChange(() => this.#places);
    this.#all = webhooks.map(({ rule, ...opened }) => {
      const place = store.places[rule.template ?? rule.match];
      return new Webhook({ ...parts, ...opened, rule, on: rule.webhook.on, place, onChange });
    });
    this.#byName = new Map(this.#all.map((webhook) => [webhook.name, webhook]));
    this.#occupancy = new Occupancy(
      (topic) => this.#of(topic) !== undefined,
      (topic, isOccupied) => this.#of(topic)?.onEvent(isOccupied ? 'occupied' : 'vacated', topic),
    );
  }

  /** Finds the positions, and begins to deliver. MUST be called before messages are published. */
  async start(): Promise<void> {
    for (const webhook of this.#all) await webhook.start();
    // A crash at any later time continues here.
    await this.#store.save(this.#places);
  }

  /** Stops delivering, and stores how far the webhooks are. */
  async stop(): Promise<void> {
    this.#occupancy.flush();
    await Promise.all(this.#all.map((webhook) => webhook.stop(stopMs)));
    await this.#store.close(this.#places);
  }

  onRecords(records: readonly LogRecord[]): void {
    for (const webhook of this.#all) webhook.onRecords(records);
  }

  onSubscription(interest: Interest, change: 1 | -1): void {
    this.#occupancy.note(interest, change);
  }

  onDeleted(topic: Topic): void {
    this.#of(topic)?.onEvent('closed', topic);
  }

  get stats(): readonly WebhookStats[] {
    return this.#all.map(({ stats }) => stats);
  }

  #of(topic: Topic): Webhook | undefined {
    return this.#byName.get(webhookNameOf(this.#rules.of(topic)));
  }

  /** With those of webhooks that no rule has in this run. They continue there if they come back. */
  get #places(): Places {
    const own = Object.fromEntries(this.#all.map(({ name, place }) => [name, place]));
    return { ...this.#store.places, ...own };
  }
}
