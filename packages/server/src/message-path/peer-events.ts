import {
  encodeEnvelope,
  encodePlain,
  formatOffset,
  type Form,
  type GapEvent,
  type Interest,
  type StateEvent,
  type SubscriptionState,
} from '@fanfare/protocol';
import type { LogRecord, Position } from '../log/topic-log.ts';
import type { Audience } from '../subscriptions/audience.ts';

export type { Audience };

/** An event on its way to clients: its name, and its one argument as JSON text. */
export interface PeerEvent {
  readonly name: string;
  readonly argumentJson: string;
  /** The offset from which a client that has received the event can resume, if there is one. */
  readonly offset?: string | undefined;
}

/** A message on its way to all live subscriptions of one form. */
export interface LiveEvent extends PeerEvent {
  readonly form: Form;
  readonly audiences: readonly Audience[];
  /**
   * The position before the message. A subscription whose client has no space for the message continues from
   * here.
   */
  readonly before: Position;
  readonly isStored: boolean;
}

export function encodeLive(record: LogRecord, form: Form, audiences: readonly Audience[]): LiveEvent {
  const { epoch, sequence, ordinal } = record;
  const { name, argumentJson, offset } = encodeDelivery(record, form);
  const isStored = ordinal > 0;
  const before: Position = isStored
    ? { epoch, sequence: sequence - 1, ordinal: ordinal - 1 }
    : { epoch, sequence };
  return { name, argumentJson, offset, form, audiences, before, isStored };
}

/**
 * @param replay - the interest of the subscription that reads the message from the log; undefined for live
 * messages
 */
export function encodeDelivery(record: LogRecord, form: Form, replay?: Interest): PeerEvent {
  switch (form) {
    case 'plain':
      return { name: record.topic, argumentJson: encodePlain(record) };
    case 'envelope': {
      const offset = offsetOf(record);
      return { name: 'message', argumentJson: encodeEnvelope(record, offset, replay), offset };
    }
  }
}

/** The offset of a message. Undefined if the message is not stored. */
export function offsetOf(record: LogRecord): string | undefined {
  return record.ordinal === 0 ? undefined : formatOffset(record);
}

/** Whether an event is a message. The protocol's other events have reserved names. */
export function isDelivery({ name }: PeerEvent): boolean {
  return name !== 'gap' && name !== 'state' && name !== 'error';
}

export function encodeGap(interest: Interest, form: Form, dropped: number | 'unknown'): PeerEvent {
  const count = dropped === 'unknown' ? {} : { dropped };
  const argument: GapEvent = { topic: interest, ...count, envelope: form === 'envelope' };
  return { name: 'gap', argumentJson: JSON.stringify(argument) };
}

export function encodeState(interest: Interest, state: SubscriptionState, offset: string): PeerEvent {
  const argument: StateEvent = { topic: interest, state, offset };
  return { name: 'state', argumentJson: JSON.stringify(argument), offset };
}
