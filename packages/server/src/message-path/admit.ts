import { setImmediate as nextTurn } from 'node:timers/promises';
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
import { fixedLimits } from '../limits/fixed-limits.ts';
import { tooDeep, tooLarge, tooManyContainers } from './refusals.ts';
import { cutMember, elementsOf, measure, structureOf, type JsonValue } from './json-text.ts';

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

/** How much of a batch is admitted before others have their turn, in characters: some milliseconds, when it is all brackets. */
const charactersPerTurn = 131_072;

/** What a message counts as beside them: each pattern of a token, and of subscribers, is tried for it. */
const messageCharacters = 512;

/** How much longer than its message a publish may be, and how many arrays and objects it may have beside those of the message. */
const envelopeCharacters = 65_536;
const envelopeContainers = 16;

/** How many a message may have however short it has to be. */
const containersAlways = 1_024;

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
    const excess = excessOf(json, this.#options.publishBytesMax);
    if (excess) throw excess;
    return this.#admitParsed(rights, parseJson(json, 'body'), headerId, json);
  }

  /**
   * Admits `{topic, message, id?}` as a value, as Socket.IO or the embedding program hands it over.
   *
   * @param json - the text that it was parsed from, when there is one: the message is passed on as its characters then
   * @throws FanfareError
   */
  admitValue(rights: Rights, input: unknown, json?: string): NewRecord {
    if (json !== undefined) return this.#admitParsed(rights, input, undefined, json);
    const fields = fieldsOf(input, 'publish');
    return this.#admit(rights, fields('topic'), fields('id'), () => encodeMessage(fields('message')));
  }

  /**
   * Admits many, each as JSON text.
   *
   * @returns for each the record, or why it is refused, in their order
   * @throws FanfareError when they are too many, or none is admitted any more
   */
  admitMany(rights: Rights, jsons: Iterable<string>): Promise<readonly Admitted[]> {
    return this.#admitEach(jsons, (json) => orRefusal(() => this.#admitElement(rights, json, 'line')));
  }

  /**
   * Admits many, as the JSON text of an array.
   *
   * @returns for each the record, or why it is refused, in their order
   * @throws FanfareError when it is no array, when they are too many, or none is admitted any more
   */
  admitArray(rights: Rights, json: string): Promise<readonly Admitted[]> {
    return this.#admitEach(arrayOf(json), (element) => this.#admitElement(rights, element, 'body'));
  }

  /** @param jsons - undefined where it is time for others to have their turn */
  async #admitEach(
    jsons: Iterable<string | undefined>,
    admit: (json: string) => Admitted,
  ): Promise<readonly Admitted[]> {
    this.#checkDraining();
    const { batchMessagesMax } = this.#options;
    const admitted: Admitted[] = [];
    let characters = 0;
    for (const json of jsons) {
      const cost = json === undefined ? 0 : json.length + messageCharacters;
      characters += cost;
      if (json === undefined || characters > charactersPerTurn) {
        await nextTurn();
        characters = cost;
      }
      if (json === undefined) continue;
      if (admitted.length === batchMessagesMax) {
        const detail = `At most ${batchMessagesMax} messages can be published at once.`;
        throw new FanfareError('payload_too_large', detail);
      }
      admitted.push(admit(json));
    }
    // Storing what is large takes its time as well.
    if (characters > charactersPerTurn) await nextTurn();
    return admitted;
  }

  /** @throws FanfareError when it is not JSON */
  #admitElement(rights: Rights, json: string, what: 'body' | 'line'): Admitted {
    const excess = excessOf(json, this.#options.publishBytesMax);
    if (excess) return excess;
    const value = parseJson(json, what);
    return orRefusal(() => this.#admitParsed(rights, value, undefined, json));
  }

  #checkDraining(): void {
    if (this.#isDraining)
      throw new FanfareError('draining', 'The server is shutting down; nothing was published.');
  }

  /** @param json - the text that was parsed */
  #admitParsed(rights: Rights, input: unknown, headerId: string | undefined, json: string): NewRecord {
    const fields = fieldsOf(input, 'publish');
    return this.#admit(rights, fields('topic'), eitherId(fields('id'), headerId), () =>
      cutMember(json, 'message'),
    );
  }

  #admit(
    rights: Rights,
    topicInput: unknown,
    idInput: unknown,
    encode: () => JsonValue | undefined,
  ): NewRecord {
    this.#checkDraining();
    const topic = parseTopic(topicInput);
    permitPublishing(rights, topic);
    const id = parseId(idInput);
    const message = encode();
    if (!message) {
      throw refuseField('bad_request', 'message', 'A message is needed: any JSON value, null included.');
    }
    const { publishBytesMax } = this.#options;
    const { text: messageJson, depth, containers } = message;
    if (depth > messageDepthMax) throw tooDeep();
    if (Buffer.byteLength(messageJson) > publishBytesMax) throw tooLarge(publishBytesMax);
    if (containers > containersMaxOf(publishBytesMax))
      throw tooManyContainers(containersMaxOf(publishBytesMax));
    const publisher = rights.publisherOf(topic);
    const { subject } = rights.identity;
    return {
      topic,
      messageJson,
      ...(id !== undefined && { id }),
      ...(publisher !== undefined && { publisher }),
      ...(subject !== undefined && { subject }),
      createsTopic: this.#options.isCovered,
    };
  }
}

/**
 * Why the text of a publish is too much to be parsed, which would take long; undefined when it is not. Whether the message in it
 * is within the limits is known only then.
 *
 * @param text - need not be JSON
 */
export function excessOf(text: string, publishBytesMax: number): FanfareError | undefined {
  if (text.length > publishBytesMax + envelopeCharacters) return tooLarge(publishBytesMax);
  const containersMax = containersMaxOf(publishBytesMax) + envelopeContainers;
  if (text.length <= containersMax) return undefined;
  const { containers, depth } = structureOf(text, containersMax);
  if (depth > messageDepthMax + envelopeContainers) return tooDeep();
  return containers > containersMax ? tooManyContainers(containersMaxOf(publishBytesMax)) : undefined;
}

function containersMaxOf(publishBytesMax: number): number {
  return Math.max(containersAlways, Math.ceil(publishBytesMax / fixedLimits.bytesPerContainer.value));
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

function orRefusal(admit: () => Admitted): Admitted {
  try {
    return admit();
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
}

/** @throws FanfareError when it is no array, on the way through it */
function* arrayOf(json: string): Generator<string | undefined, void> {
  try {
    yield* elementsOf(json);
  } catch (error) {
    throw new FanfareError('bad_request', `The body is not JSON: ${(error as SyntaxError).message}.`, {
      cause: error,
    });
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
function encodeMessage(message: unknown): JsonValue | undefined {
  if (message === undefined) return undefined;
  const json = stringify(message);
  if (json === undefined) throw notJson('The message must be a JSON value.');
  refuseOtherValues(message);
  return measure(json);
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

/** JSON.stringify makes objects of numbers out of binary attachments, and null out of numbers that are too large. */
function refuseOtherValues(message: unknown): void {
  const waiting = [message];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'number' && !Number.isFinite(value))
      throw notJson('The message must be a JSON value; a number in it is larger than any of JavaScript.');
    if (typeof value !== 'object' || value === null) continue;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
      throw notJson('The message must be a JSON value; binary data is none.');
    // Without a list of the members: of a mebibyte of small arrays there are many.
    if (Array.isArray(value)) {
      for (const inner of value) if (mayBeOther(inner)) waiting.push(inner);
    } else {
      for (const name in value) {
        const inner = (value as Readonly<Record<string, unknown>>)[name];
        if (mayBeOther(inner)) waiting.push(inner);
      }
    }
  }
}

function mayBeOther(value: unknown): boolean {
  return typeof value === 'object' || (typeof value === 'number' && !Number.isFinite(value));
}
