import { deflateRawSync } from 'node:zlib';

/** The bytes that one connection of a kind of attack sends. */
export type StrangerKind =
  | 'fragments'
  | 'messages'
  | 'pings'
  | 'connects'
  | 'gets'
  | 'half-heads'
  | 'chunks'
  | 'handshakes'
  | 'compressed';

/** How much each connection sends: more than one read of the server. */
const bytesEach = 84_000;

const host = 'Host: localhost\r\n';

const upgrade = Buffer.from(
  `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
    'Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
);

const [continuation, text, ping] = [0x0, 0x1, 0x9] as const;
const [final, compressed] = [0x80, 0x40] as const;

/** A frame of a client, masked with zeros. */
function frame(first: number, payload: Uint8Array | string): Buffer {
  const { length } = payload;
  const size = length < 126 ? [length] : [126, length >> 8, length & 0xff];
  const [marked = 0, ...rest] = size;
  return Buffer.concat([Buffer.from([first, 0x80 | marked, ...rest, 0, 0, 0, 0]), Buffer.from(payload)]);
}

/** Sends a prefix once, and then the same bytes as often as they fit. */
function repeated(once: Uint8Array | string, again: Uint8Array | string): Buffer {
  const [first, more] = [Buffer.from(once), Buffer.from(again)];
  const times = Math.floor((bytesEach - first.length) / more.length);
  return Buffer.concat([first, ...Array<Buffer>(times).fill(more)]);
}

/** Zeros, compressed to a thousandth of their size. */
const bomb = deflateRawSync(Buffer.alloc(1_000_000)).subarray(0, -4);

const makers: Readonly<Record<StrangerKind, () => Buffer>> = {
  fragments: () => repeated(Buffer.concat([upgrade, frame(text, '4')]), frame(continuation, '0')),
  messages: () => repeated(upgrade, frame(final | text, '3')),
  pings: () => repeated(upgrade, frame(final | ping, '')),
  connects: () => repeated(upgrade, frame(final | text, '40')),
  gets: () => repeated('', `GET / HTTP/1.1\r\n${host}\r\n`),
  'half-heads': () => repeated(`GET / HTTP/1.1\r\n${host}`, 'a:b\r\n').subarray(0, 16_000),
  chunks: () =>
    repeated(
      `POST /publish HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      '1\r\n \r\n',
    ),
  handshakes: () => repeated('', `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n${host}\r\n`),
  compressed: () => repeated(upgrade, frame(final | compressed | text, bomb)),
};

export const strangerKinds = Object.keys(makers) as readonly StrangerKind[];

/** Everything that one connection of a kind sends. A server may read as little of it as it likes. */
export function sentBy(kind: StrangerKind): Buffer {
  return makers[kind]();
}
