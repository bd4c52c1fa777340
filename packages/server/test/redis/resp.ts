/** A reply of Redis. Maps are flat arrays of keys and values, as in RESP 2. */
export type RespValue = string | number | boolean | null | Buffer | RedisError | RespValue[];

/** A reply that is an error: `LOADING Redis is loading the dataset in memory`. */
export class RedisError extends Error {
  /** Its first word: `LOADING`. */
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.code = message.split(' ', 1)[0] ?? '';
  }
}

export interface RespElement {
  readonly value: RespValue;
  /** Not a reply to a command: a push of RESP 3. */
  readonly isPush: boolean;
  /** Where the element ends in the last chunk. */
  readonly end: number;
}

interface Aggregate {
  readonly items: RespValue[];
  readonly count: number;
  readonly isPush: boolean;
}

const lineFeed = 0x0a;

/** Parses RESP 2 and RESP 3, however the bytes are cut into chunks. */
export class RespParser {
  /** The beginning of a line whose end has not come yet. */
  #line = '';
  /** The bulk string that has not come whole. */
  #bulk: { readonly parts: Buffer[]; left: number } | undefined;
  readonly #open: Aggregate[] = [];

  /** The elements that a chunk completes. */
  parse(chunk: Buffer): RespElement[] {
    const elements: RespElement[] = [];
    let at = 0;
    while (at < chunk.length) {
      const start = at;
      at = this.#bulk ? Math.min(chunk.length, at + this.#bulk.left) : chunk.indexOf(lineFeed, at) + 1;
      if (this.#bulk) {
        this.#bulk.parts.push(chunk.subarray(start, at));
        this.#bulk.left -= at - start;
        if (this.#bulk.left > 0) break;
        const value = Buffer.concat(this.#bulk.parts).subarray(0, -2);
        this.#bulk = undefined;
        this.#complete(value, at, elements);
        continue;
      }
      this.#line += chunk.toString('latin1', start, at === 0 ? chunk.length : at);
      if (at === 0) break;
      const value = this.#valueOf(this.#line.slice(0, -2));
      this.#line = '';
      if (value !== undefined) this.#complete(value, at, elements);
    }
    return elements;
  }

  /** The value of a line. Undefined if more has to come. */
  #valueOf(line: string): RespValue | undefined {
    const text = line.slice(1);
    switch (line[0]) {
      case '+':
      case '(':
        return text;
      case '-':
        return new RedisError(text);
      case ':':
      case ',':
        return Number(text);
      case '#':
        return text === 't';
      case '_':
        return null;
      case '$':
      case '=':
        if (text === '-1') return null;
        this.#bulk = { parts: [], left: Number(text) + 2 };
        return undefined;
      case '*':
      case '~':
      case '>':
      case '%':
        return this.#openAggregate(line[0], Number(text));
      default:
        throw new Error(`not RESP: ${line.slice(0, 100)}`);
    }
  }

  #openAggregate(type: string, size: number): RespValue | undefined {
    if (size === -1) return null;
    const count = type === '%' ? 2 * size : size;
    if (count === 0) return [];
    this.#open.push({ items: [], count, isPush: type === '>' });
    return undefined;
  }

  #complete(value: RespValue, end: number, elements: RespElement[]): void {
    let completed = value;
    let isPush = false;
    for (let parent = this.#open.at(-1); parent; parent = this.#open.at(-1)) {
      parent.items.push(completed);
      if (parent.items.length < parent.count) return;
      ({ items: completed, isPush } = parent);
      this.#open.pop();
    }
    elements.push({ value: completed, isPush, end });
  }
}

/** The bytes of a command. */
export function encodeCommand(words: readonly (string | number | Buffer)[]): Buffer {
  const parts = words.flatMap((word) => {
    const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

/** A value whose bulk strings are texts. */
export function textsOf(value: RespValue): RespValue {
  if (Buffer.isBuffer(value)) return value.toString();
  return Array.isArray(value) ? value.map(textsOf) : value;
}
