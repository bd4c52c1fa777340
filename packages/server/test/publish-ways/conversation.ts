import type { Server } from 'node:http';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { soonMs, until, within } from '../../../../test/waits.ts';
import type { SentRequest } from './requests.ts';

/** The server's end of a connection in this process: each piece that is pushed is one read. */
export class ServerEnd extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  received = '';
  isEnded = false;

  override _read(): void {}

  setTimeout(): this {
    return this;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.received += chunk.toString('latin1');
    done();
  }

  override _final(done: () => void): void {
    this.isEnded = true;
    done();
  }
}

export interface Answered {
  /** Everything that the server sent, in Latin-1, with the same epoch and date on each server. */
  readonly text: string;
  readonly isEnded: boolean;
}

/** The number of turns without bytes from the server after which a request gets no response. */
const quietTurns = 25;

/** Sends the requests over a connection of their own, and returns all that the server sends. */
export async function converse(server: Server, requests: readonly SentRequest[]): Promise<Answered> {
  const end = new ServerEnd();
  end.on('error', () => {});
  server.emit('connection', end);
  const isOver = (): boolean => end.isEnded || end.destroyed;
  let isWhole = true;
  for (const [at, request] of requests.entries()) {
    isWhole &&= request.isWhole;
    for (const piece of piecesOf(request)) {
      if (isOver()) break;
      end.push(piece);
      if (request.cuts.length > 0) await turn();
    }
    if (requests[at + 1]?.isPipelined) continue;
    // A request that ends elsewhere than its head says has no response that can be waited for.
    if (!isWhole) await quiet(end);
    else
      await until('each request has a response', () => isOver() || responsesIn(end.received) > at, {
        soFar: () => end.received,
      });
  }
  await quiet(end);
  const answered = { text: normal(end.received), isEnded: isOver() };
  end.push(null);
  end.destroy();
  await turn();
  return answered;
}

/**
 * Sends the requests over TCP, and half-closes the connection.
 *
 * @param requests - whole ones: after others, TCP may reset the connection, and lose responses by chance
 */
export async function converseOverTcp(url: string, requests: readonly SentRequest[]): Promise<Answered> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => (received += text));
  // The server may close a connection while bytes of the client are on their way.
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  for (const [at, request] of requests.entries()) {
    for (const piece of piecesOf(request)) {
      socket.write(piece);
      if (request.cuts.length > 0) await turn();
    }
    if (requests[at + 1]?.isPipelined) continue;
    await until('each request has a response', () => socket.closed || responsesIn(received) > at, {
      soFar: () => received,
    });
  }
  socket.end();
  await within(soonMs, 'the server closes the connection', closed, () => received);
  return { text: normal(received), isEnded: true };
}

function* piecesOf({ bytes, cuts }: SentRequest): Generator<Buffer, void> {
  let from = 0;
  for (const cut of cuts.toSorted((one, other) => one - other)) {
    if (cut <= from || cut >= bytes.length) continue;
    yield bytes.subarray(from, cut);
    from = cut;
  }
  yield bytes.subarray(from);
}

/** The number of complete responses. Interim ones, such as `100 Continue`, do not count. */
function responsesIn(text: string): number {
  let count = 0;
  for (let from = 0; ;) {
    const end = text.indexOf('\r\n\r\n', from);
    if (end < 0) return count;
    const head = text.slice(from, end);
    const [, length = '0'] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
    from = end + 4 + Number(length);
    if (from > text.length) return count;
    if (!head.startsWith('HTTP/1.1 1')) count++;
  }
}

function normal(text: string): string {
  return text
    .replaceAll(/\r\nDate: [^\r]*/g, '\r\nDate: some time')
    .replaceAll(/"offset":"[^".]*\./g, '"offset":"epoch.');
}

async function quiet(end: ServerEnd): Promise<void> {
  let { received } = end;
  for (let turns = 0; turns < quietTurns; turns++) {
    await turn();
    if (end.received !== received) turns = 0;
    ({ received } = end);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
