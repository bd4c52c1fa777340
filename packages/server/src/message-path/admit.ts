import { FanfareError, fieldsOf, parseId, parseTopic, refuseField, type Topic } from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import type { NewRecord } from '../log/topic-log.ts';
import { encodeMessage } from './encode-message.ts';
import { cutMember, type JsonValue } from './json-text.ts';
import { checkMessage, refusalBySize } from './message-size.ts';
import { permitPublishing } from './permit.ts';
import type { PublishMembers } from './publish-scanner.ts';
import { notJson } from './refusals.ts';

/** A publish `{topic, message, id?}` as it was received. */
export type PublishInput = PublishText | PublishValue;

/** A publish as JSON text. Its message is delivered with the same characters. */
export interface PublishText {
  readonly json: string;
  /** The id from the header `Idempotency-Key`. */
  readonly headerId?: string | undefined;
}

/** A publish as a value, from the app or through the parser of an app's own Socket.IO server. */
export interface PublishValue {
  readonly value: unknown;
  /** Whether the topic is created if it does not exist. */
  readonly createsTopic?: boolean;
}

export interface AdmissionOptions {
  /** Whether a publish creates the topic, because there is a subscription to a pattern that matches it. */
  readonly isCovered: (topic: Topic) => boolean;
  /** The size limit of a message, in bytes of JSON text. A reload can change it. */
  readonly limits: { readonly publishBytesMax: number };
}

/**
 * Admits publishes: turns them into records that can be appended. All refusals that do not need the log are
 * made here, so that HTTP, Socket.IO and the app get the same ones.
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

  /** From now on, all publishes are refused with `draining`. */
  drain(): void {
    this.#isDraining = true;
  }

  /** @throws FanfareError `draining` */
  checkDraining(): void {
    if (this.#isDraining)
      throw new FanfareError('draining', 'The server is shutting down; nothing was published.');
  }

  /** @throws FanfareError */
  admit(rights: Rights, input: PublishInput): NewRecord {
    if ('json' in input) return this.#admitText(rights, input);
    const { value, createsTopic = false } = input;
    const fields = fieldsOf(value, 'publish');
    const encode = (): JsonValue | undefined => encodeMessage(fields('message'));
    return this.#admit(rights, fields('topic'), fields('id'), encode, createsTopic);
  }

  /**
   * Admits a publish that was scanned.
   *
   * @throws FanfareError
   */
  admitMembers(rights: Rights, { topic, id, message }: PublishMembers): NewRecord {
    return this.#admit(rights, topic, id, () => message, false);
  }

  #admitText(rights: Rights, { json, headerId }: PublishText): NewRecord {
    const refusal = refusalBySize(json, this.#options.limits.publishBytesMax);
    if (refusal) throw refusal;
    const fields = fieldsOf(parseJson(json), 'publish');
    const encode = (): JsonValue | undefined => cutMember(json, 'message');
    return this.#admit(rights, fields('topic'), eitherId(fields('id'), headerId), encode, false);
  }

  #admit(
    rights: Rights,
    topicInput: unknown,
    idInput: unknown,
    encode: () => JsonValue | undefined,
    createsTopic: boolean,
  ): NewRecord {
    this.checkDraining();
    const topic = parseTopic(topicInput);
    permitPublishing(rights, topic);
    const id = parseId(idInput);
    const message = encode();
    if (!message) {
      throw refuseField(
        'bad_request',
        'message',
        '`message` is missing. It can be any JSON value, also null.',
      );
    }
    const { limits, isCovered } = this.#options;
    checkMessage(message, limits.publishBytesMax);
    const record: Writable<NewRecord> = {
      topic,
      messageJson: message.text,
      createsTopic: createsTopic || isCovered(topic),
    };
    const publisher = rights.publisherOf(topic);
    const { subject } = rights.identity;
    if (id !== undefined) record.id = id;
    if (publisher !== undefined) record.publisher = publisher;
    if (subject !== undefined) record.subject = subject;
    return record;
  }
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

function eitherId(bodyId: unknown, headerId: string | undefined): unknown {
  if (headerId === undefined || bodyId === headerId) return bodyId;
  if (bodyId === undefined) return headerId;
  throw refuseField(
    'bad_request',
    'id',
    'The `id` of the body and the header `Idempotency-Key` differ. Send one of them.',
  );
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw notJson(error, json === '' ? 'it is empty' : undefined);
  }
}
