import { encodeEnvelope, encodePlain, type Form, type Topic } from '@fanfare/protocol';
import type { LogRecord } from '../log/topic-log.ts';

/** The way to every connection that joined a topic in a form. */
export interface FanOut {
  /**
   * Sends one event to all of them, in the order of the calls. MUST NOT throw, whatever a connection's state.
   *
   * @param argumentJson - the event's one argument, as JSON text
   */
  send(topic: Topic, form: Form, event: string, argumentJson: string): void;
}

/** Encodes a message once for all subscribers of a form, and fans it out. */
export function deliver(record: LogRecord, form: Form, fanOut: FanOut): void {
  switch (form) {
    case 'plain':
      return fanOut.send(record.topic, form, record.topic, encodePlain(record));
    case 'envelope':
      return fanOut.send(record.topic, form, 'message', encodeEnvelope(record));
  }
}
