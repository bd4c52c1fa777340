import { MalformedMessageError, type ReceivedEvent } from '@fanfare/engine';
import { FanfareError } from '@fanfare/protocol';
import type { PublishInput } from '../message-path/admit.ts';
import { isSeveralValues } from '../message-path/json-text.ts';
import { refusalBySize } from '../message-path/message-size.ts';

/** An event of a client, as a command. */
export interface ReceivedCommand {
  /** Empty if the event has no name. */
  readonly name: string;
  /** The argument of a publish is not parsed. The message path does it. */
  readonly input: PublishInput;
}

/** The beginning of an event: its name. */
const namePattern = /^\["([\w-]{1,100})",/;

/** A publish can have several arguments, of which the first counts. A longer one is not checked for this. */
const severalArgumentsMax = 65_536;

const notJson = 'The arguments of an event must be JSON, without NaN and Infinity.';

/** The log line for an event whose arguments are not JSON. */
export const refusedEvent: string = `A client sent an event that was refused. ${notJson}`;

/** The arguments of an event are not JSON. */
export class NotJsonError extends FanfareError {
  constructor() {
    super('bad_request', notJson);
  }
}

/**
 * Reads the command in an event.
 *
 * @throws FanfareError if the event is refused; MalformedMessageError if it has no name either
 */
export function readCommand(event: ReceivedEvent, publishBytesMax: number): ReceivedCommand {
  const { json } = event;
  const [begin = '', name] = namePattern.exec(json) ?? [];
  if (name === 'publish' && json.endsWith(']') && !event.hasAttachments) {
    const argument = json.slice(begin.length, -1);
    if (argument.length > severalArgumentsMax || !isSeveralValues(argument))
      return { name, input: { json: argument } };
  }
  const refusal = refusalBySize(json, publishBytesMax);
  if (refusal) throw name === undefined ? unreadable(refusal) : refusal;
  const values = valuesOf(event, name !== undefined);
  if (event.hasAttachments) throw new FanfareError('bad_request', 'A command must not have binary data.');
  const [first, input] = values;
  return { name: typeof first === 'string' ? first : '', input: { value: input } };
}

/** The error for a packet that the server does not parse. Its client is disconnected. */
export function unreadable(refusal: FanfareError): MalformedMessageError {
  return new MalformedMessageError(refusal.message, { cause: refusal });
}

function valuesOf(event: ReceivedEvent, hasName: boolean): readonly unknown[] {
  try {
    return event.values();
  } catch (error) {
    throw hasName && error instanceof MalformedMessageError ? new NotJsonError() : error;
  }
}
