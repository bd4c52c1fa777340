/*
 * Packets of Socket.IO 5, which travel as messages of Engine.IO. Called messages here, because a packet is
 * one of Engine.IO.
 */

/** The types, and the character with which the payload of each begins. */
const types = [
  ['connect', '{'],
  ['disconnect', ''],
  ['event', '['],
  ['ack', '['],
  ['connect_error', '{'],
  ['binary_event', '['],
  ['binary_ack', '['],
] as const;

export type MessageType = (typeof types)[number][0];

export interface Message {
  readonly type: MessageType;
  /** `/`, or another name that begins with a slash. */
  readonly namespace: string;
  /** The number with which the sender wants an acknowledgement, or which is acknowledged. */
  readonly id: number | undefined;
  /** The number of binary attachments that follow the message. */
  readonly attachments: number;
  /** JSON that was not parsed, but begins as its type demands. Empty if the message has no payload. */
  readonly payload: string;
}

/** A client sent something that the protocol does not allow. Its session is closed. */
export class MalformedMessageError extends Error {
  override readonly name = 'MalformedMessageError';
}

/** The maximum number of attachments. It is the limit of Socket.IO's own parser. */
const attachmentsMax = 10;

/** Type, attachments, namespace and number. A longer number than 15 digits would lose digits. */
const header = /^([0-6])(?:(?<=[56])(\d{1,3})-)?(?:(\/[^,]*)(?:,|$))?(\d{0,15})/;

/** @throws MalformedMessageError */
export function parseMessage(text: string): Message {
  const [head = '', digit, count = 0, namespace = '/', id] = header.exec(text) ?? [];
  const [type, begin] = types[Number(digit)] ?? [];
  const payload = text.slice(head.length);
  if (!type || (payload !== '' && !(begin && payload.startsWith(begin))))
    throw new MalformedMessageError('The text is not a packet of Socket.IO 4 (protocol 5).');
  const attachments = Number(count);
  if (type.startsWith('binary') && (attachments < 1 || attachments > attachmentsMax))
    throw new MalformedMessageError(`A binary message must have 1 to ${attachmentsMax} attachments.`);
  return { type, namespace, id: id ? Number(id) : undefined, attachments, payload };
}

/** Events with these names would be mistaken for events of the libraries themselves. */
const reservedNames: ReadonlySet<unknown> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/**
 * The values of an event: its name and its arguments. An event without a payload has none.
 *
 * @throws MalformedMessageError
 */
export function parseEvent({ payload }: Pick<Message, 'payload'>): readonly unknown[] {
  if (payload === '') return [];
  const values = parseJson(payload) as readonly unknown[];
  const [name] = values;
  if (typeof name !== 'number' && (typeof name !== 'string' || reservedNames.has(name)))
    throw new MalformedMessageError('An event must begin with a name that is not reserved.');
  return values;
}

/**
 * The `auth` of a client that connects. A client without `auth` has an empty one.
 *
 * @throws MalformedMessageError
 */
export function parseAuth({ payload }: Pick<Message, 'payload'>): Readonly<Record<string, unknown>> {
  return payload === '' ? {} : (parseJson(payload) as Readonly<Record<string, unknown>>);
}

/**
 * Checks the places at which the binary attachments of a message belong.
 *
 * @throws MalformedMessageError
 */
export function checkPlaceholders(payload: unknown, attachments: number): void {
  const open: unknown[] = [payload];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    const fields = value as Readonly<Record<string, unknown>>;
    const num = fields['num'];
    if (fields['_placeholder'] !== true) for (const each of Object.values(value)) open.push(each);
    else if (typeof num !== 'number' || !(num >= 0 && num < attachments))
      throw new MalformedMessageError('A placeholder has a wrong number.');
  }
}

/** @param argumentsJson - JSON values with commas between them; empty if the event has no arguments */
export function encodeEvent(name: string, argumentsJson: string): string {
  // The events of a page have the same name.
  if (name !== lastName.name) lastName = { name, json: JSON.stringify(name) };
  return `2[${lastName.json}${argumentsJson === '' ? '' : ','}${argumentsJson}]`;
}

let lastName = { name: '', json: '""' };

export function encodeAck(id: number, json: string): string {
  return `3${id}[${json}]`;
}

export function encodeConnect(sid: string): string {
  return `0${JSON.stringify({ sid })}`;
}

/** @param error - `message` is for people; `data` is what the app says beside it */
export function encodeConnectError(
  namespace: string,
  error: { readonly message: string; readonly data?: unknown },
): string {
  return `4${namespace === '/' ? '' : `${namespace},`}${JSON.stringify(error)}`;
}

export const disconnectMessage = '1';

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedMessageError('The payload of a message must be JSON.');
  }
}
