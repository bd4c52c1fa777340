import {
  encodeEnvelope,
  encodePlain,
  type Form,
  type GapEvent,
  type Interest,
  type StateEvent,
  type SubscriptionState,
} from '@fanfare/protocol';
import type { LogRecord } from '../log/topic-log.ts';
import type { Audience } from '../subscriptions/audience.ts';
import type { Counters } from './counters.ts';

export type { Audience };

/** An event on its way to subscribers: its name, and its one argument as JSON text. */
export interface PeerEvent {
  readonly name: string;
  readonly argumentJson: string;
  /** Where to go on from once it has come, if that can be said. */
  readonly offset?: string | undefined;
}

/** The way to every connection that has joined an audience in a form. */
export interface FanOut {
  /**
   * Sends one event to all that have joined any of the audiences, once to each, in the order of the calls. MUST NOT
   * throw, whatever a connection's state.
   *
   * @returns to how many it was sent: not to those that there was no room for, nor to those that poll, which count later
   */
  send(audiences: readonly Audience[], form: Form, event: PeerEvent): number;
  /** How many bytes wait for connections; what waits for several MAY count once. */
  readonly waitingBytes: number;
}

export interface DeliverParts {
  readonly fanOuts: readonly FanOut[];
  readonly counters: Counters;
  readonly epoch: string;
}

/** Encodes a message once for all live subscribers of a form, and fans it out. */
export function deliver(
  record: LogRecord,
  audiences: readonly Audience[],
  form: Form,
  { fanOuts, counters, epoch }: DeliverParts,
): void {
  const event = encodeDelivery(record, form, epoch);
  for (const fanOut of fanOuts) {
    // It may count others meanwhile, which a poll that is open has taken at once.
    const sent = fanOut.send(audiences, form, event);
    counters.deliveries += sent;
  }
}

/** @param replay - the interest of the one subscription that it is for, if it is not live */
export function encodeDelivery(record: LogRecord, form: Form, epoch: string, replay?: Interest): PeerEvent {
  switch (form) {
    case 'plain':
      return { name: record.topic, argumentJson: encodePlain(record) };
    case 'envelope': {
      const offset = offsetOf(record, epoch);
      return { name: 'message', argumentJson: encodeEnvelope(record, offset, replay), offset };
    }
  }
}

/** A message that is not stored has none. */
export function offsetOf({ ordinal, sequence }: LogRecord, epoch: string): string | undefined {
  return ordinal === 0 ? undefined : `${epoch}.${sequence}`;
}

/** Whether an event is a message. The other events of the protocol have names that are reserved. */
export function isDelivery({ name }: PeerEvent): boolean {
  return name !== 'gap' && name !== 'state' && name !== 'error';
}

/** The events of the protocol beside deliveries. */
export function encodeGap(interest: Interest, form: Form, dropped: number | 'unknown'): PeerEvent {
  const count = dropped === 'unknown' ? {} : { dropped };
  const argument: GapEvent = { topic: interest, ...count, envelope: form === 'envelope' };
  return { name: 'gap', argumentJson: JSON.stringify(argument) };
}

export function encodeState(interest: Interest, state: SubscriptionState, offset: string): PeerEvent {
  const argument: StateEvent = { topic: interest, state, offset };
  return { name: 'state', argumentJson: JSON.stringify(argument), offset };
}
