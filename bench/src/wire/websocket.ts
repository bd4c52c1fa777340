import { Connection } from './connection.ts';

export interface WebSocketEvents {
  readonly onOpen: () => void;
  /** A text message. Its bytes are valid only during the call. */
  readonly onText: (bytes: Buffer, start: number, end: number) => void;
  readonly onFailure: (reason: string) => void;
}

const headEnd = Buffer.from('\r\n\r\n');
const finalText = 0x81;
const finalClose = 0x88;
const finalPing = 0x89;
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** A client's WebSocket (RFC 6455), without extensions. It masks with zeros, which do not change the text. */
export class WebSocketConnection {
  readonly #connection: Connection;
  readonly #events: WebSocketEvents;
  #isOpen = false;

  constructor(port: number, path: string, events: WebSocketEvents) {
    this.#events = events;
    this.#connection = new Connection(port, (bytes) => this.#take(bytes), events.onFailure);
    this.#connection.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
  }

  sendText(text: string): void {
    this.#connection.write(maskedText(text));
  }

  close(): void {
    this.#connection.close();
  }

  #take(bytes: Buffer): number {
    if (this.#isOpen) return this.#takeFrames(bytes, 0);
    const end = bytes.indexOf(headEnd);
    if (end === -1) return 0;
    const status = bytes.toString('latin1', 0, bytes.indexOf('\r\n'));
    if (!status.startsWith('HTTP/1.1 101 ')) {
      this.#events.onFailure(`the server answered the WebSocket handshake with '${status}'`);
      return bytes.length;
    }
    this.#isOpen = true;
    this.#events.onOpen();
    return this.#takeFrames(bytes, end + headEnd.length);
  }

  #takeFrames(bytes: Buffer, from: number): number {
    let at = from;
    while (at + 2 <= bytes.length) {
      let length = bytes[at + 1] ?? 0;
      let start = at + 2;
      if (length === 126) {
        if (at + 4 > bytes.length) break;
        length = bytes.readUInt16BE(at + 2);
        start = at + 4;
      } else if (length === 127) {
        if (at + 10 > bytes.length) break;
        length = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      const end = start + length;
      if (end > bytes.length) break;
      if (bytes[at] === finalText) this.#events.onText(bytes, start, end);
      else this.#takeOther(bytes[at] ?? 0);
      at = end;
    }
    return at;
  }

  #takeOther(kind: number): void {
    if (kind === finalPing) this.#connection.write(pong);
    else if (kind === finalClose) this.#events.onFailure('the server closed the WebSocket');
    else this.#events.onFailure(`the server sent a WebSocket frame that begins with 0x${kind.toString(16)}`);
  }
}

/** @param text - ASCII */
function maskedText(text: string): Buffer {
  const { length } = text;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + lengthBytes + 4 + length);
  frame[0] = finalText;
  frame[1] = 0x80 | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.fill(0, 2 + lengthBytes, 6 + lengthBytes);
  frame.write(text, 6 + lengthBytes, 'latin1');
  return frame;
}
