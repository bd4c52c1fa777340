/**
 * The number of arrays and objects in a JSON text, including itself, and the depth of their nesting. Both are
 * 0 for other values.
 */
export interface Structure {
  readonly containers: number;
  readonly depth: number;
}

/** A JSON value cut out of a text that is known to be JSON. */
export interface JsonValue extends Structure {
  /** The value's own characters, without the white space between them. */
  readonly text: string;
}

/**
 * Cuts the value of one member out of a JSON object, character for character. So a message arrives exactly as
 * it was sent: parsing and printing would change `1.0`, and integers over 2^53. Like `JSON.parse`, it takes
 * the last of several members with the same name.
 *
 * @param json - MUST be the text of a JSON object; parse it first
 */
export function cutMember(json: string, name: string): JsonValue | undefined {
  return new Cutter(json).member(name);
}

/** Removes white space from a JSON text, and measures it. */
export function measure(json: string): JsonValue {
  return new Cutter(json).value();
}

/**
 * Counts arrays and objects, which make JSON.parse slow: it takes 0.1 s for a mebibyte of them.
 *
 * @param text - need not be JSON
 * @param max - counting stops after this number. A higher result only means that there are more arrays and
 *   objects
 */
export function structureOf(text: string, max: number): Structure {
  let containers = 0;
  let depth = 0;
  let depthReached = 0;
  for (let at = 0; at < text.length && containers <= max; at++) {
    const kind = kindOf(text.charCodeAt(at));
    if (kind === quotes) at = endOfString(text, at) - 1;
    else if (kind === closes) depth--;
    else if (kind === opens) {
      containers++;
      if (++depth > depthReached) depthReached = depth;
    }
  }
  return { containers, depth: depthReached };
}

/**
 * The number of characters that are scanned before the caller can yield. They take one to three milliseconds.
 */
const charactersPerPause = 262_144;

/** Reads usual values of a text in one pass, and leaves others to its caller. */
export interface ElementScanner<Element> {
  /**
   * Reads the value that begins at a place of the text, or after white space there.
   *
   * @returns undefined if it is not a usual one
   */
  read(start: number): Element | undefined;
  /** After a value was read: the place of the delimiter after it. */
  readonly end: number;
}

/** A scanner for callers that need nothing but texts. */
const noScanner: ElementScanner<never> = { read: () => undefined, end: 0 };

/**
 * Yields the elements of an array, one text at a time. It does not check that they are JSON. If all of them
 * are, the array is.
 *
 * @param text - need not be JSON
 * @param scanner - reads the elements of this text that are usual. Each of them is yielded as it was read
 * @returns also undefined, where the caller can yield because the next element is long
 * @throws SyntaxError if the text is not an array, whatever its elements are
 */
export function* elementsOf<Element = never>(
  text: string,
  scanner: ElementScanner<Element> = noScanner,
): Generator<Element | string | undefined, void> {
  let start = text.search(notWhite) + 1;
  if (text.charCodeAt(start - 1) !== openBracket) throw new SyntaxError('it is not an array');
  for (let isFirst = true; ; isFirst = false) {
    const scanned = scanner.read(start);
    const at: number = scanned === undefined ? yield* endOfElement(text, start) : scanner.end;
    const element = scanned ?? text.slice(start, at);
    const end = text.charCodeAt(at);
    start = at + 1;
    if (end !== comma) {
      if (end !== closeBracket) throw new SyntaxError('the array does not end with a bracket');
      if (notWhite.test(text.slice(start))) throw new SyntaxError('there is text after the array');
      if (!isFirst || typeof element !== 'string' || notWhite.test(element)) yield element;
      return;
    }
    yield element;
  }
}

/** Returns the place after an element. Yields where the caller can yield. */
function* endOfElement(text: string, start: number): Generator<undefined, number> {
  let place: Place = { at: start, depth: 0 };
  for (;;) {
    const pauseAt = place.at + charactersPerPause;
    place = goOn(text, place, pauseAt);
    if (place.at >= text.length) throw new SyntaxError('the array has no end');
    if (place.at < pauseAt) return place.at;
    yield undefined;
  }
}

/**
 * Yields the lines of a text, without empty lines.
 *
 * @param scanner - as for {@link elementsOf}
 */
export function* linesOf<Element>(
  text: string,
  scanner: ElementScanner<Element>,
): Generator<Element | string, void> {
  // Empty lines are skipped all at once: there may be 16 million.
  const filled = /[^ \t\r\n]/g;
  for (let begin = filled.exec(text); begin; begin = filled.exec(text)) {
    const start = begin.index;
    const scanned = scanner.read(start);
    const newline = text.indexOf('\n', scanned === undefined ? start : scanner.end);
    const end = newline === -1 ? text.length : newline;
    yield scanned ?? text.slice(start, end);
    filled.lastIndex = end;
  }
}

/** Whether a comma separates several values in a text, which need not be JSON. */
export function isSeveralValues(text: string): boolean {
  return text.charCodeAt(goOn(text, { at: 0, depth: 0 }, text.length).at) === comma;
}

const notWhite = /[^ \t\n\r]/;

/** A place in a value: the next character, and how many arrays and objects of the value are open there. */
interface Place {
  readonly at: number;
  readonly depth: number;
}

/** Goes to the character that ends the value, or to `end`, or after it. */
function goOn(text: string, place: Place, end: number): Place {
  let { at, depth } = place;
  const stop = Math.min(end, text.length);
  for (; at < stop; at++) {
    const kind = kindOf(text.charCodeAt(at));
    if (kind === quotes) at = endOfString(text, at) - 1;
    else if (kind === opens) depth++;
    else if (kind === closes || kind === separates) {
      if (depth === 0) break;
      if (kind === closes) depth--;
    }
  }
  return { at, depth };
}

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;

/** The meaning of a character outside of strings. */
const other = 0;
const quotes = 1;
const opens = 2;
const closes = 3;
const separates = 4;
const white = 5;

const kinds = new Uint8Array(128);
for (const [kind, characters] of [
  [quotes, '"'],
  [opens, '[{'],
  [closes, ']}'],
  [separates, ','],
  [white, ' \t\n\r'],
] as const)
  for (const character of characters) kinds[character.charCodeAt(0)] = kind;

/** @param code - of UTF-16; NaN after the end of a text */
function kindOf(code: number): number | undefined {
  return code < 128 ? kinds[code] : other;
}

/** Reads a text that is known to be JSON, so it does not need to look at every character. */
class Cutter {
  readonly #json: string;
  #at = 0;

  constructor(json: string) {
    this.#json = json;
  }

  /** Reads the next value, an object, and returns one of its members. */
  member(name: string): JsonValue | undefined {
    const key = `"${name}"`;
    let found: JsonValue | undefined;
    this.#skipWhiteSpace();
    do {
      // Past the `{` or the `,`.
      this.#at++;
      this.#skipWhiteSpace();
      if (this.#code() !== quote) break;
      const isWanted = this.#takeKey(key, name);
      // Past the `:`.
      this.#skipWhiteSpace();
      this.#at++;
      this.#skipWhiteSpace();
      if (isWanted) found = this.value();
      else this.#skipValue();
      this.#skipWhiteSpace();
    } while (this.#code() === comma);
    return found;
  }

  /** Reads the next value, and the white space after it. */
  value(): JsonValue {
    const json = this.#json;
    const start = this.#at;
    let at = start;
    let isSpaced = false;
    let depth = 0;
    let depthReached = 0;
    let containers = 0;
    for (; at < json.length; at++) {
      const kind = kindOf(json.charCodeAt(at));
      if (kind === other) continue;
      if (kind === quotes) {
        at = endOfString(json, at) - 1;
        // A value that is a string ends with the string.
        if (depth > 0) continue;
        at++;
        break;
      }
      if (kind === white) isSpaced = true;
      else if (kind === opens) {
        containers++;
        if (++depth > depthReached) depthReached = depth;
      } else if (depth === 0) break;
      else if (kind === closes) depth--;
    }
    this.#at = at;
    const text = isSpaced ? withoutWhiteSpace(json, start, at) : json.slice(start, at);
    return { text, depth: depthReached, containers };
  }

  #skipValue(): void {
    this.#at = goOn(this.#json, { at: this.#at, depth: 0 }, this.#json.length).at;
  }

  /** Reads the next key. @returns whether it is the wanted key */
  #takeKey(key: string, name: string): boolean {
    const start = this.#at;
    const end = (this.#at = endOfString(this.#json, start));
    if (end - start < key.length) return false;
    if (end - start === key.length && this.#json.startsWith(key, start)) return true;
    const given = this.#json.slice(start, end);
    return given.includes('\\') && JSON.parse(given) === name;
  }

  #skipWhiteSpace(): void {
    while (kindOf(this.#code()) === white) this.#at++;
  }

  /** The code of the current character. NaN after the end, so that nothing matches there. */
  #code(): number {
    return this.#json.charCodeAt(this.#at);
  }
}

/**
 * A part of a JSON text without the white space between its tokens. It looks at each character code, because
 * there may be much white space.
 */
export function withoutWhiteSpace(json: string, start: number, end: number): string {
  const codes = new Uint16Array(end - start);
  let length = 0;
  let all = 0;
  let stringEnd = start;
  for (let at = start; at < end; at++) {
    const code = json.charCodeAt(at);
    if (at >= stringEnd) {
      const kind = kindOf(code);
      if (kind === white) continue;
      if (kind === quotes) stringEnd = endOfString(json, at);
    }
    all |= code;
    codes[length++] = code;
  }
  if (all < 256) return Buffer.from(codes.subarray(0, length)).toString('latin1');
  return Buffer.from(codes.buffer, 0, 2 * length).toString('utf16le');
}

/**
 * @returns the place after the string that begins at `start`; the end of the text if the string does not end
 */
function endOfString(text: string, start: number): number {
  for (let at = start; ;) {
    at = text.indexOf('"', at + 1);
    if (at === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === backslash) backslashes++;
    if (backslashes % 2 === 0) return at + 1;
  }
}
