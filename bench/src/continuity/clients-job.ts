import type { SubscriberKind, Transport } from './subscribers.ts';

/** What the process with the subscribers is started with, as JSON. */
export interface ClientsJob {
  readonly kind: SubscriberKind;
  readonly url: string;
  readonly count: number;
  readonly transport: Transport;
}

/**
 * What it says. A message below zero is a marker: `marked` comes when everybody has got it, and for the last one,
 * `lastMarker`, with all that was got before.
 */
export type ClientsReport =
  | { readonly marked: number }
  | { readonly received: readonly (readonly number[])[]; readonly missing: number };

export const lastMarker = -2;
