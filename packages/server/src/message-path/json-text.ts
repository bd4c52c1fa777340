const quote = 0x22;
const backslash = 0x5c;

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
  let found: JsonValue | undefined;
  let at = skipWhiteSpace(json, json.indexOf('{') + 1);
  while (json.charCodeAt(at) === quote) {
    const keyEnd = endOfString(json, at);
    const isWanted = keyIs(json.slice(at, keyEnd), name);
    const valueStart = skipWhiteSpace(json, json.indexOf(':', keyEnd) + 1);
    const { end, value } = cutValue(json, valueStart);
    if (isWanted) found = value;
    at = skipWhiteSpace(json, end + 1);
  }
  return found;
}

/** How deeply the arrays and objects of a JSON text are nested. */
export function depthOf(json: string): number {
  return cutValue(json, 0).value.depth;
}

/** `end` is the place of the `,`, `}` or `]` behind the value, or the end of the text. */
function cutValue(json: string, start: number): { end: number; value: JsonValue } {
  let text = '';
  let pieceStart = start;
  let depth = 0;
  let depthReached = 0;
  let at = start;
  scan: while (at < json.length) {
    switch (json[at]) {
      case '"':
        at = endOfString(json, at);
        continue;
      case '{':
      case '[':
        depthReached = Math.max(depthReached, ++depth);
        break;
      case '}':
      case ']':
        if (depth === 0) break scan;
        depth--;
        break;
      case ',':
        if (depth === 0) break scan;
        break;
      case ' ':
      case '\n':
      case '\r':
      case '\t':
        text += json.slice(pieceStart, at);
        at = pieceStart = skipWhiteSpace(json, at);
        continue;
      default:
        break;
    }
    at++;
  }
  return { end: at, value: { text: text + json.slice(pieceStart, at), depth: depthReached } };
}

function keyIs(key: string, name: string): boolean {
  return key.includes('\\') ? JSON.parse(key) === name : key === `"${name}"`;
}

/** The place behind the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  let end = start;
  do {
    end = json.indexOf('"', end + 1);
  } while (isEscaped(json, end));
  return end + 1;
}

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0;
  while (json.charCodeAt(at - 1 - backslashes) === backslash) backslashes++;
  return backslashes % 2 === 1;
}

function skipWhiteSpace(json: string, start: number): number {
  let at = start;
  while (json[at] === ' ' || json[at] === '\n' || json[at] === '\r' || json[at] === '\t') at++;
  return at;
}
