/** A JSON value cut out of a text that is known to be JSON. */
export interface JsonValue {
  /** The value's own characters, without the white space between them. */
  readonly text: string;
  /** How deeply its arrays and objects are nested; 0 for a number, string, boolean or null. */
  readonly depth: number;
}

/**
 * Cuts one member's value out of a JSON object, character for character: a message that is passed on like
 * this arrives as it was sent, `1.0` and integers over 2^53 included, which parsing and printing would change.
 * Like `JSON.parse`, it takes the last of several members of the same name.
 *
 * @param json - MUST be the text of a JSON object; parse it first
 */
export function cutMember(json: string, name: string): JsonValue | undefined {
  return new Cutter(json).member(name);
}

/**
 * Cuts the same member out of each element of a JSON array, in one go over the text.
 *
 * @param json - MUST be the text of a JSON array; parse it first
 * @returns one for each element; undefined for one that is no object, or has no such member
 */
export function cutMembers(json: string, name: string): readonly (JsonValue | undefined)[] {
  return new Cutter(json).memberOfEach(name);
}

/** How deeply the arrays and objects of a JSON text are nested. */
export function depthOf(json: string): number {
  return new Cutter(json).value().depth;
}

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Walks along a JSON text. It relies on the text being JSON, so that it need not look at every character. */
class Cutter {
  readonly #json: string;
  #at = 0;

  constructor(json: string) {
    this.#json = json;
  }

  memberOfEach(name: string): readonly (JsonValue | undefined)[] {
    const found: (JsonValue | undefined)[] = [];
    this.#skipWhiteSpace();
    do {
      // Past the `[` or the `,`.
      this.#at++;
      this.#skipWhiteSpace();
      const code = this.#code();
      if (code === closeBracket) break;
      found.push(code === openBrace ? this.member(name) : this.#skipValue());
      this.#skipWhiteSpace();
    } while (this.#code() === comma);
    return found;
  }

  /** Of the object that comes next. Stops behind it. */
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
    // Past the `}`.
    this.#at++;
    return found;
  }

  /** The value that comes next. Stops behind it, and behind what white space there is. */
  value(): JsonValue {
    let pieceStart = this.#at;
    if (this.#code() === quote) return { text: this.#json.slice(pieceStart, this.#skipString()), depth: 0 };
    let text = '';
    let depth = 0;
    let depthReached = 0;
    for (;;) {
      const code = this.#code();
      if (code === quote) this.#skipString();
      else if (code === openBrace || code === openBracket) {
        depthReached = Math.max(depthReached, ++depth);
        this.#at++;
      } else if (isWhiteSpace(code)) {
        text += this.#json.slice(pieceStart, this.#at);
        this.#skipWhiteSpace();
        pieceStart = this.#at;
      } else if (depth === 0 && endsValue(code)) break;
      else {
        if (code === closeBrace || code === closeBracket) depth--;
        this.#at++;
      }
    }
    return { text: text + this.#json.slice(pieceStart, this.#at), depth: depthReached };
  }

  #skipValue(): undefined {
    let depth = 0;
    for (;;) {
      const code = this.#code();
      if (code === quote) this.#skipString();
      else if (depth === 0 && endsValue(code)) return undefined;
      else {
        if (code === openBrace || code === openBracket) depth++;
        else if (code === closeBrace || code === closeBracket) depth--;
        this.#at++;
      }
    }
  }

  /** @returns whether the key that comes next is the wanted one */
  #takeKey(key: string, name: string): boolean {
    const start = this.#at;
    const end = this.#skipString();
    if (end - start < key.length) return false;
    if (end - start === key.length && this.#json.startsWith(key, start)) return true;
    const given = this.#json.slice(start, end);
    return given.includes('\\') && JSON.parse(given) === name;
  }

  /** @returns the place behind the string */
  #skipString(): number {
    do {
      this.#at = this.#json.indexOf('"', this.#at + 1);
    } while (this.#json.charCodeAt(this.#at - 1) === backslash && this.#isEscaped());
    return ++this.#at;
  }

  #isEscaped(): boolean {
    let backslashes = 1;
    while (this.#json.charCodeAt(this.#at - 1 - backslashes) === backslash) backslashes++;
    return backslashes % 2 === 1;
  }

  #skipWhiteSpace(): void {
    while (isWhiteSpace(this.#code())) this.#at++;
  }

  /** Not a number behind the end, so that nothing matches there. */
  #code(): number {
    return this.#json.charCodeAt(this.#at);
  }
}

function isWhiteSpace(code: number): boolean {
  return code === space || code === lineFeed || code === carriageReturn || code === tab;
}

/** Whether a value that is no string, and in which nothing is open, ends before this character. */
function endsValue(code: number): boolean {
  return code === comma || code === closeBrace || code === closeBracket || Number.isNaN(code);
}
