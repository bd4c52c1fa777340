import type { SubscriberKind, Transport } from './subscribers.ts';

/** The argument of the process with the subscribers, as JSON. */
export interface ClientsJob {
  readonly kind: SubscriberKind;
  readonly url: string;
  readonly count: number;
  readonly transport: Transport;
}

/**
 * A report of that process. A message below zero is a marker: `marked` comes once all subscribers have it.
 * For the last marker, `lastMarker`, the report has all messages that were received before.
 */
export type ClientsReport =
  | { readonly marked: number }
  | { readonly received: readonly (readonly number[])[]; readonly missing: number };

export const lastMarker = -2;
