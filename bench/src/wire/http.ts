import { lineEnd } from './bytes.ts';
import { Connection } from './connection.ts';

export interface HttpEvents {
  /** A complete response. Its bytes are valid only during the call. */
  readonly onResponse: (status: number, bytes: Buffer, bodyStart: number, bodyEnd: number) => void;
  readonly onFailure: (reason: string) => void;
}

const headEnd = Buffer.from('\r\n\r\n');

/**
 * HTTP/1.1, one request at a time. The connection is kept for the next request, unless the server ends it.
 */
export class HttpConnection {
  readonly #port: number;
  readonly #events: HttpEvents;
  readonly #authorization: string;
  #connection: Connection | undefined;
  #isWaiting = false;

  constructor(port: number, events: HttpEvents, token?: string) {
    this.#port = port;
    this.#events = events;
    this.#authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  }

  get(path: string): void {
    this.#request(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n\r\n`);
  }

  put(path: string): void {
    this.#request(`PUT ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\nContent-Length: 0\r\n\r\n`);
  }

  /** @param body - ASCII */
  post(path: string, type: string, body: string): void {
    this.#request(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\nContent-Type: ${type}\r\n${this.#authorization}` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  }

  close(): void {
    this.#connection?.close();
  }

  #request(text: string): void {
    this.#isWaiting = true;
    this.#connection ??= new Connection(
      this.#port,
      (bytes) => this.#take(bytes),
      (reason) => this.#end(reason),
    );
    this.#connection.write(text);
  }

  #take(bytes: Buffer): number {
    const end = bytes.indexOf(headEnd);
    if (end === -1) return 0;
    const head = bytes.toString('latin1', 0, end);
    const body = this.#isWaiting ? findBody(head, bytes, end + headEnd.length) : 'wrong';
    if (body === 'incomplete') return 0;
    if (body === 'wrong') {
      this.#events.onFailure(`the server answered ${JSON.stringify(head.slice(0, 200))}`);
      return bytes.length;
    }
    this.#isWaiting = false;
    if (head.startsWith('HTTP/1.0') || /\r\nconnection: *close/i.test(head)) {
      this.#connection?.close();
      this.#connection = undefined;
    }
    this.#events.onResponse(Number(head.slice(9, 12)), body.bytes, body.start, body.end);
    return body.taken;
  }

  #end(reason: string): void {
    this.#connection = undefined;
    if (this.#isWaiting) this.#events.onFailure(reason);
  }
}

/** Makes one request over a connection of its own, and resolves to the response. */
export function askOnce(
  port: number,
  ask: (http: HttpConnection) => void,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const http = new HttpConnection(port, {
      onResponse: (status, bytes, start, end) => {
        resolve({ status, body: bytes.toString('utf8', start, end) });
        http.close();
      },
      onFailure: (reason) => reject(new Error(reason)),
    });
    ask(http);
  });
}

interface Body {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Where the response ends in the bytes that were read. */
  readonly taken: number;
}

function findBody(head: string, bytes: Buffer, start: number): Body | 'incomplete' | 'wrong' {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = start + Number(length);
    return end > bytes.length ? 'incomplete' : { bytes, start, end, taken: end };
  }
  return /\r\ntransfer-encoding: *chunked/i.test(head) ? joinChunks(bytes, start) : 'wrong';
}

function joinChunks(bytes: Buffer, start: number): Body | 'incomplete' {
  const chunks: Buffer[] = [];
  let at = start;
  for (;;) {
    const sizeEnd = lineEnd(bytes, at);
    if (sizeEnd === -1) return 'incomplete';
    const size = Number.parseInt(bytes.toString('latin1', at, sizeEnd), 16);
    at = sizeEnd + size + 2;
    if (at > bytes.length) return 'incomplete';
    if (size === 0) break;
    chunks.push(bytes.subarray(sizeEnd, sizeEnd + size));
  }
  const joined = Buffer.concat(chunks);
  return { bytes: joined, start: 0, end: joined.length, taken: at };
}
