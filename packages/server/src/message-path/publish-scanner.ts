import { Buffer } from 'node:buffer';
import { messageDepthMax } from '@fanfare/protocol';
import {
  backslash,
  carriageReturn,
  closeBrace,
  closeBracket,
  colon,
  comma,
  digitsEnd,
  dot,
  escapeLength,
  largeE,
  lineFeed,
  minus,
  openBrace,
  openBracket,
  plainEnd,
  plus,
  quote,
  smallE,
  smallF,
  smallN,
  smallT,
  space,
  tab,
  zero,
} from './json-characters.ts';
import { withoutWhiteSpace, type ElementScanner, type JsonValue } from './json-text.ts';

/** The members of a publish. A member that the text does not have is undefined. */
export interface PublishMembers {
  readonly topic: string | undefined;
  readonly id: string | undefined;
  readonly message: JsonValue | undefined;
}

/**
 * The number of characters that are scanned at once, and so the largest publish that is scanned. No limit
 * refuses a publish of this size before it is parsed.
 */
const windowCharacters = 16_384;

/** A scan looks so far ahead, for the digits of an escape sequence. */
const aheadMax = 6;

/** After a publish that is too long to be scanned, so many are not tried: they may be as long. */
const untriedAfterLong = 16;

/** The number of arrays and objects that every limit allows in a publish. */
const containersMax = 1_024;

/**
 * Reads the publishes of a batch, each in one pass: it makes sure that the text is JSON, cuts out the
 * members, and measures the message. It reads code units from an array, because reading them from a string
 * takes two to three times as long.
 *
 * It reads only usual publishes. Others, among them everything that is not JSON, are left to the caller. So
 * each refusal is still made in one place.
 */
export class PublishScanner implements ElementScanner<PublishMembers> {
  readonly #text: string;
  readonly #isLines: boolean;
  /** The code units of a part of the text, and a 0 after them, which no scan passes. */
  readonly #codes: Uint16Array;
  /** The place of that part in the text, and its length. */
  #base = 0;
  #length = 0;
  /** The place of the next code unit. */
  #at = 0;
  /** The number of publishes that are left to the caller at once. */
  #untried = 0;
  /** What was found since the begin of the publish, of the value, and of the string. */
  #containers = 0;
  #depth = 0;
  #hasWhite = false;
  #hasEscapes = false;
  /** The last topic. The log finds a topic faster if it is the same string again. */
  #topic = '';

  /** @param isLines - whether a publish ends at the end of its line. Else it is an element of an array */
  constructor(text: string, isLines: boolean) {
    this.#text = text;
    this.#isLines = isLines;
    this.#codes = new Uint16Array(Math.min(text.length, windowCharacters) + 1);
    this.#load(0);
  }

  get end(): number {
    return this.#base + this.#at;
  }

  read(start: number): PublishMembers | undefined {
    if (this.#untried > 0) {
      this.#untried--;
      return undefined;
    }
    if (start >= this.#base + this.#length) this.#load(start);
    this.#at = start - this.#base;
    let members = this.#publish();
    if (!members && this.#hasMetEnd && start > this.#base) {
      this.#load(start);
      members = this.#publish();
    }
    if (!members && this.#hasMetEnd) this.#untried = untriedAfterLong;
    return members;
  }

  /** Whether a failed scan has met the end of the window, perhaps in the middle of the publish. */
  get #hasMetEnd(): boolean {
    return this.#at + aheadMax >= this.#length;
  }

  #load(base: number): void {
    const { buffer, length } = this.#codes;
    const part = this.#text.slice(base, base + length - 1);
    Buffer.from(buffer).write(part, 'utf16le');
    this.#codes[part.length] = 0;
    this.#base = base;
    this.#length = part.length;
    this.#at = 0;
  }

  #publish(): PublishMembers | undefined {
    let topic: string | undefined;
    let id: string | undefined;
    let message: JsonValue | undefined;
    this.#containers = 0;
    if (this.#skipWhite() !== openBrace) return undefined;
    do {
      this.#at++;
      this.#skipWhite();
      const name = this.#at + 1;
      if (!this.#passString() || this.#hasEscapes) return undefined;
      const nameLength = this.#at - 1 - name;
      if (!this.#passColon()) return undefined;
      const start = this.#at;
      const isString = this.#codes[start] === quote;
      const before = this.#containers;
      this.#depth = 0;
      this.#hasWhite = false;
      if (!this.#passValue(0)) return undefined;
      if (nameLength === 7 && this.#has('message', name)) message = this.#valueFrom(start, before);
      else if (nameLength === 5 && this.#has('topic', name)) {
        if (!isString) return undefined;
        topic = this.#topicFrom(start);
      } else if (nameLength === 2 && this.#has('id', name)) {
        if (!isString) return undefined;
        id = this.#stringFrom(start);
      }
    } while (this.#skipWhite() === comma);
    if (this.#codes[this.#at] !== closeBrace) return undefined;
    this.#at++;
    return this.#isAtDelimiter(this.#skipWhite()) ? { topic, id, message } : undefined;
  }

  #isAtDelimiter(code: number): boolean {
    if (!this.#isLines) return code === comma || code === closeBracket;
    return code === lineFeed || this.end === this.#text.length;
  }

  #has(word: string, at: number): boolean {
    for (let i = 0; i < word.length; i++) if (this.#codes[at + i] !== word.charCodeAt(i)) return false;
    return true;
  }

  #valueFrom(start: number, containersBefore: number): JsonValue {
    const from = this.#base + start;
    const text = this.#hasWhite
      ? withoutWhiteSpace(this.#text, from, this.end)
      : this.#text.slice(from, this.end);
    return { text, depth: this.#depth, containers: this.#containers - containersBefore };
  }

  #topicFrom(start: number): string {
    const isSame =
      !this.#hasEscapes && this.#topic.length === this.#at - start - 2 && this.#has(this.#topic, start + 1);
    if (!isSame) this.#topic = this.#stringFrom(start);
    return this.#topic;
  }

  /** Returns a copy: a slice would keep the whole text in memory, as long as there is the topic. */
  #stringFrom(start: number): string {
    return JSON.parse(this.#text.slice(this.#base + start, this.end)) as string;
  }

  /** @returns the next code unit after white space */
  #skipWhite(): number {
    const codes = this.#codes;
    let code = codes[this.#at] as number;
    while (
      code === space ||
      code === tab ||
      code === carriageReturn ||
      (code === lineFeed && !this.#isLines)
    ) {
      this.#hasWhite = true;
      code = codes[++this.#at] as number;
    }
    return code;
  }

  #passColon(): boolean {
    if (this.#skipWhite() !== colon) return false;
    this.#at++;
    this.#skipWhite();
    return true;
  }

  /**
   * Passes a value.
   *
   * @param level - the number of arrays and objects around it
   * @returns whether it is JSON, and within the limits
   */
  #passValue(level: number): boolean {
    switch (this.#codes[this.#at]) {
      case quote:
        return this.#passString();
      case openBrace:
        return this.#passContainer(level, closeBrace);
      case openBracket:
        return this.#passContainer(level, closeBracket);
      case smallT:
        return this.#passWord('true');
      case smallF:
        return this.#passWord('false');
      case smallN:
        return this.#passWord('null');
      default:
        return this.#passNumber();
    }
  }

  #passContainer(level: number, close: number): boolean {
    if (level === messageDepthMax || ++this.#containers > containersMax) return false;
    if (level >= this.#depth) this.#depth = level + 1;
    this.#at++;
    if (this.#skipWhite() === close) {
      this.#at++;
      return true;
    }
    for (;;) {
      if (close === closeBrace && !(this.#passString() && this.#passColon())) return false;
      if (!this.#passValue(level + 1)) return false;
      const next = this.#skipWhite();
      if (next !== close && next !== comma) return false;
      this.#at++;
      if (next === close) return true;
      this.#skipWhite();
    }
  }

  #passString(): boolean {
    const codes = this.#codes;
    if (codes[this.#at] !== quote) return false;
    let at = plainEnd(codes, this.#at + 1);
    this.#hasEscapes = codes[at] === backslash;
    while (codes[at] === backslash) {
      const length = escapeLength(codes, at);
      if (length === 0) break;
      at = plainEnd(codes, at + length);
    }
    const isComplete = codes[at] === quote;
    this.#at = isComplete ? at + 1 : at;
    return isComplete;
  }

  #passNumber(): boolean {
    const codes = this.#codes;
    let at = this.#at;
    if (codes[at] === minus) at++;
    const whole = at;
    at = digitsEnd(codes, at);
    if (at === whole || (codes[whole] === zero && at > whole + 1)) return false;
    if (codes[at] === dot) {
      const fraction = at + 1;
      at = digitsEnd(codes, fraction);
      if (at === fraction) return false;
    }
    if (codes[at] === smallE || codes[at] === largeE) {
      const sign = codes[at + 1];
      const exponent = at + (sign === plus || sign === minus ? 2 : 1);
      at = digitsEnd(codes, exponent);
      if (at === exponent) return false;
    }
    this.#at = at;
    return true;
  }

  #passWord(word: string): boolean {
    if (!this.#has(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }
}
