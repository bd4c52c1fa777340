/** A response of the server. */
export interface Response {
  readonly status: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** What a server has sent over one connection since it was last asked. */
export interface Happenings {
  readonly responses: readonly Response[];
  /** The frames of a websocket, in words: `text "40"`, `binary 0102`, `close 1000 ""`. */
  readonly frames: readonly string[];
  /** Whether the server has ended the connection, in this step or before. */
  readonly isEnded: boolean;
  /** Bytes that are not a whole response or frame, of a connection that has ended. */
  readonly cutOff: string;
}

/** Headers that differ from one exchange to the next. */
const ignored: ReadonlySet<string> = new Set(['date']);

/** Reads what a server sends over one connection: HTTP responses, and after an upgrade frames. */
export class HappeningReader {
  #rest = '';
  #isWebSocket = false;

  /** @param bytes - in latin1 */
  read(bytes: string, isEnded: boolean): Happenings {
    this.#rest += bytes;
    const responses: Response[] = [];
    const frames: string[] = [];
    while (this.#rest !== '') {
      // Engine.IO refuses a websocket of another version with a response, after the upgrade.
      const isFrame = this.#isWebSocket && !this.#rest.startsWith('HTTP/1.1 ');
      const length = isFrame ? this.#frame(frames) : this.#response(responses, isEnded);
      if (length === 0) break;
      this.#rest = this.#rest.slice(length);
    }
    const cutOff = isEnded ? this.#rest : '';
    if (isEnded) this.#rest = '';
    return { responses, frames, isEnded, cutOff };
  }

  /** @returns its length, or 0 if it is not complete */
  #response(into: Response[], isEnded: boolean): number {
    const headEnd = this.#rest.indexOf('\r\n\r\n');
    if (headEnd < 0) return 0;
    const [first = '', ...lines] = this.#rest.slice(0, headEnd).split('\r\n');
    const headers = new Map(lines.map(headerOf).filter(([name]) => !ignored.has(name)));
    const status = first.replace(/^HTTP\/1\.1 /, '');
    const start = headEnd + 4;
    const body = status.startsWith('101')
      ? { text: '', end: start }
      : bodyOf(this.#rest, start, headers, isEnded);
    if (!body) return 0;
    if (status.startsWith('101')) this.#isWebSocket = true;
    into.push({ status, headers, body: utf8(body.text) });
    return body.end;
  }

  /** @returns its length, or 0 if it is not complete */
  #frame(into: string[]): number {
    const bytes = Buffer.from(this.#rest.slice(0, 10), 'latin1');
    if (bytes.length < 2) return 0;
    const short = bytes.readUInt8(1);
    const headLength = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < headLength) return 0;
    const length =
      short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
    const end = headLength + length;
    if (this.#rest.length < end) return 0;
    into.push(frameInWords(bytes.readUInt8(0), this.#rest.slice(headLength, end)));
    return end;
  }
}

function headerOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function bodyOf(
  text: string,
  start: number,
  headers: ReadonlyMap<string, string>,
  isEnded: boolean,
): { readonly text: string; readonly end: number } | undefined {
  if (headers.get('transfer-encoding') === 'chunked') return chunksOf(text, start);
  const length = headers.get('content-length');
  // Without a length, the body ends with the connection.
  const end = length === undefined ? (isEnded ? text.length : Infinity) : start + Number(length);
  return end > text.length ? undefined : { text: text.slice(start, end), end };
}

function chunksOf(text: string, start: number): { readonly text: string; readonly end: number } | undefined {
  let body = '';
  for (let at = start; ;) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (lineEnd < 0 || end > text.length) return undefined;
    body += text.slice(lineEnd + 2, end - 2);
    if (size === 0) return { text: body, end };
    at = end;
  }
}

function frameInWords(first: number, payload: string): string {
  const more = first & 0xf0 ? ((first & 0xf0) === 0x80 ? '' : ` (first byte ${first.toString(16)})`) : ' …';
  switch (first & 0x0f) {
    case 0x1:
      return `text ${utf8(payload)}${more}`;
    case 0x2:
      return `binary ${Buffer.from(payload, 'latin1').toString('hex')}${more}`;
    case 0x8:
      return `close ${closeInWords(payload)}${more}`;
    case 0x9:
      return `ping ${utf8(payload)}${more}`;
    case 0xa:
      return `pong ${utf8(payload)}${more}`;
    default:
      return `opcode ${first & 0x0f} ${utf8(payload)}${more}`;
  }
}

function closeInWords(payload: string): string {
  if (payload === '') return 'without a code';
  const code = Buffer.from(payload.slice(0, 2), 'latin1').readUInt16BE(0);
  return `${code} ${JSON.stringify(utf8(payload.slice(2)))}`;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}
