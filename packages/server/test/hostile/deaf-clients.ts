import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { soonMs, within } from '../../../../test/waits.ts';
import { handshake } from './inputs/sockets.ts';

/** A client's frame whose mask is zeros. */
export function frame(opcode: number, payload: string): Buffer {
  const { length } = payload;
  const size = length < 126 ? [length] : [126, length >> 8, length & 0xff];
  const [first = 0, ...rest] = size;
  return Buffer.concat([
    Buffer.from([0x80 | opcode, 0x80 | first, ...rest, 0, 0, 0, 0]),
    Buffer.from(payload),
  ]);
}

export const text = (packet: string): Buffer => frame(0x1, packet);

/** Reads until a text has come. */
async function readUntil(socket: Socket, part: string): Promise<void> {
  for (let got = ''; !got.includes(part);) {
    const [piece] = (await within(soonMs, 'the server answers the handshake', once(socket, 'data'))) as [
      Buffer,
    ];
    got += piece.toString('latin1');
  }
}

export function connectTo(url: string, begin: string | Buffer): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(begin);
  return socket;
}

/**
 * A client that has logged in, and reads nothing afterwards.
 *
 * @param auth - has the token if one is needed
 */
export async function connectDeaf(url: string, auth = ''): Promise<Socket> {
  const socket = connectTo(url, handshake);
  await readUntil(socket, 'maxPayload');
  socket.write(text(`40${auth}`));
  await readUntil(socket, '40{');
  return socket.pause();
}

/** A client that has opened a stream of Server-Sent Events, and reads nothing afterwards. */
export async function openDeafStream(url: string, path: string): Promise<Socket> {
  const head = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`;
  const socket = connectTo(url, head);
  await readUntil(socket, 'event: subscribed');
  return socket.pause();
}
