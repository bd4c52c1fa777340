import type { WebhookStats } from '@fanfare/protocol';
import { counter, gauge, type Family } from './family.ts';

/** The webhooks of rules, by the pattern of the rule. A server can have only some dozens. */
export function webhookMetrics(webhooks: readonly WebhookStats[]): readonly Family[] {
  const byRule = (
    read: (webhook: WebhookStats) => number,
  ): { label: string; values: readonly (readonly [string, number])[] } => ({
    label: 'rule',
    values: webhooks.map((webhook) => [webhook.match, read(webhook)]),
  });
  return [
    gauge(
      'fanfare_webhook_up',
      'Whether the last request of the webhook was accepted: 1 or 0.',
      byRule(({ state }) => (state === 'delivering' ? 1 : 0)),
    ),
    counter(
      'fanfare_webhook_deliveries_total',
      'Requests of webhooks that the receiver has accepted.',
      byRule(({ delivered }) => delivered),
    ),
    counter(
      'fanfare_webhook_failures_total',
      'Requests of webhooks that have failed. Each is made again.',
      byRule(({ failures }) => failures),
    ),
    gauge(
      'fanfare_webhook_waiting',
      'Messages and events in memory that the webhook has not delivered. The log may have more.',
      byRule(({ waiting }) => waiting),
    ),
    counter(
      'fanfare_webhook_gaps_total',
      'Times that messages were removed from the log before the webhook had delivered them.',
      byRule(({ gaps }) => gaps),
    ),
    counter(
      'fanfare_webhook_dropped_events_total',
      'Events that were dropped because too many waited for the webhook.',
      byRule(({ eventsDropped }) => eventsDropped),
    ),
  ];
}
