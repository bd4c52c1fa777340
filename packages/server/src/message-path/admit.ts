import {
  FanfareError,
  fieldsOf,
  messageDepthMax,
  parseId,
  parseTopic,
  refuseField,
  type Topic,
} from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import type { NewRecord } from '../log/topic-log.ts';
import { permitPublishing } from './permit.ts';
import { cutMember, cutMembers, depthOf, type JsonValue } from './json-text.ts';

export interface AdmissionOptions {
  /** Whether a topic that does not exist is made by publishing to it, for somebody is subscribed to a pattern. */
  readonly isCovered: (topic: Topic) => boolean;
  /** How many messages may come at once. */
  readonly batchMessagesMax: number;
  /** How long a message may be, in bytes of JSON text. */
  readonly publishBytesMax: number;
}

/** One of many: its record, or why it is refused. */
export type Admitted = NewRecord | FanfareError;

/**
 * The door for publishes: what comes out of it may be appended. Everything about a publish that can be
 * refused without asking the log is refused here, the same for every way in.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  #isDraining = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From now on everything is refused with `draining`. */
  drain(): void {
    this.#isDraining = true;
  }

  /**
   * Admits `{topic, message, id?}` as JSON text. The message is passed on as the characters it came in.
   *
   * @param headerId - the id as the header `Idempotency-Key` gives it
   * @throws FanfareError
   */
  admitText(rights: Rights, json: string, headerId?: string): NewRecord {
    return this.#admitParsed(rights, parseJson(json, 'body'), headerId, () => cutMember(json, 'message'));
  }

  /**
   * Admits `{topic, message, id?}` as a value, as Socket.IO or the embedding program hands it over.
   *
   * @throws FanfareError
   */
  admitValue(rights: Rights, input: unknown): NewRecord {
    const fields = fieldsOf(input, 'publish');
    return this.#admit(rights, fields('topic'), fields('id'), () => encodeMessage(fields('message')));
  }

  /**
   * Admits many, each as JSON text.
   *
   * @returns for each the record, or why it is refused, in their order
   * @throws FanfareError when they are too many, or none is admitted any more
   */
  admitMany(rights: Rights, jsons: readonly string[]): readonly Admitted[] {
    this.#checkBatch(jsons.length);
    return jsons.map((json) =>
      orRefusal(() =>
        this.#admitParsed(rights, parseJson(json, 'line'), undefined, () => cutMember(json, 'message')),
      ),
    );
  }

  /**
   * Admits many, as the JSON text of an array.
   *
   * @returns for each the record, or why it is refused, in their order
   * @throws FanfareError when it is no array, when they are too many, or none is admitted any more
   */
  admitArray(rights: Rights, json: string): readonly Admitted[] {
    const values = parseJson(json, 'body');
    if (!Array.isArray(values)) throw new FanfareError('bad_request', 'Many messages come as one array.');
    this.#checkBatch(values.length);
    const messages = cutMembers(json, 'message');
    return values.map((value: unknown, at) =>
      orRefusal(() => this.#admitParsed(rights, value, undefined, () => messages[at])),
    );
  }

  #checkBatch(messages: number): void {
    const { batchMessagesMax } = this.#options;
    this.#checkDraining();
    if (messages <= batchMessagesMax) return;
    const detail = `At most ${batchMessagesMax} messages can be published at once.`;
    throw new FanfareError('payload_too_large', detail);
  }

  #checkDraining(): void {
    if (this.#isDraining)
      throw new FanfareError('draining', 'The server is shutting down; nothing was published.');
  }

  /** @param cut - cuts the message out of the text that was parsed */
  #admitParsed(
    rights: Rights,
    input: unknown,
    headerId: string | undefined,
    cut: () => JsonValue | undefined,
  ): NewRecord {
    const fields = fieldsOf(input, 'publish');
    return this.#admit(rights, fields('topic'), eitherId(fields('id'), headerId), () => {
      const message = cut();
      if (message && message.depth > messageDepthMax) throw tooDeep();
      return message?.text;
    });
  }

  #admit(rights: Rights, topicInput: unknown, idInput: unknown, encode: () => string | undefined): NewRecord {
    this.#checkDraining();
    const topic = parseTopic(topicInput);
    permitPublishing(rights, topic);
    const id = parseId(idInput);
    const messageJson = encode();
    if (messageJson === undefined) {
      throw refuseField('bad_request', 'message', 'A message is needed: any JSON value, null included.');
    }
    if (Buffer.byteLength(messageJson) > this.#options.publishBytesMax)
      throw tooLarge(this.#options.publishBytesMax);
    const createsTopic = this.#options.isCovered(topic);
    const publisher = rights.publisherOf(topic);
    return {
      topic,
      messageJson,
      ...(id !== undefined && { id }),
      ...(publisher !== undefined && { publisher }),
      ...(createsTopic && { createsTopic }),
    };
  }
}

/** @param bytesMax - the limit that the payload is over */
export function tooLarge(bytesMax: number): FanfareError {
  return new FanfareError('payload_too_large', `A publish must not be larger than ${bytesMax} bytes.`);
}

function eitherId(bodyId: unknown, headerId: string | undefined): unknown {
  if (headerId === undefined || bodyId === headerId) return bodyId;
  if (bodyId === undefined) return headerId;
  throw refuseField(
    'bad_request',
    'id',
    'The id of the body and the header Idempotency-Key are not the same.',
  );
}

function tooDeep(): FanfareError {
  const detail = `The message must not be nested deeper than ${messageDepthMax} levels.`;
  return refuseField('payload_too_deep', 'message', detail);
}

function orRefusal(admit: () => NewRecord): Admitted {
  try {
    return admit();
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
}

function parseJson(json: string, what: 'body' | 'line'): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    const reason = json === '' ? 'it is empty' : (error as SyntaxError).message;
    throw new FanfareError('bad_request', `The ${what} is not JSON: ${reason}.`, { cause: error });
  }
}

/** Undefined when there is no message at all. */
function encodeMessage(message: unknown): string | undefined {
  if (message === undefined) return undefined;
  const json = stringify(message);
  if (json === undefined) throw notJson('The message must be a JSON value.');
  if (hasBinary(message)) throw notJson('The message must be a JSON value; binary data is none.');
  if (depthOf(json) > messageDepthMax) throw tooDeep();
  return json;
}

function stringify(message: unknown): string | undefined {
  try {
    return JSON.stringify(message);
  } catch (error) {
    // JSON.stringify gives up with a RangeError at some 5,000 levels.
    if (error instanceof RangeError) throw tooDeep();
    throw notJson('The message must be a JSON value.');
  }
}

function notJson(detail: string): FanfareError {
  return refuseField('bad_request', 'message', detail);
}

/** Whether binary attachments are in a message; JSON.stringify would make objects of numbers out of them. */
function hasBinary(message: unknown): boolean {
  const waiting = [message];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return true;
    // Without a list of the members: of a mebibyte of small arrays there are many.
    if (Array.isArray(value)) {
      for (const inner of value) if (typeof inner === 'object') waiting.push(inner);
    } else {
      for (const name in value) {
        const inner = (value as Readonly<Record<string, unknown>>)[name];
        if (typeof inner === 'object') waiting.push(inner);
      }
    }
  }
  return false;
}
