import type { Server } from 'node:http';
import { Duplex } from 'node:stream';

/** The server's end of a connection within this process. */
class ServerEnd extends Duplex {
  received = 0;
  text = '';

  override _read(): void {}

  /** It has no timeout, like the streams of other modules; Node's own sockets have one. */
  setTimeout(): this {
    return this;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.received += chunk.length;
    if (this.text.length < textMax) this.text += chunk.toString('latin1');
    done();
  }
}

/** The number of bytes that are kept of the server's response. */
const textMax = 50_000;

export interface Answered {
  /** The beginning of the response. */
  readonly text: string;
  /** The number of pieces that were sent before the server ended the connection. */
  readonly taken: number;
}

/**
 * The number of turns for each piece: a websocket's handshake waits for its turn, and bytes that come before
 * its end are lost.
 */
const pieceTurns = 4;

/** The number of turns without bytes from the server after which the conversation is over. */
const quietTurns = 8;

/**
 * Sends the pieces to the server over a separate connection, which then ends. Resolves when they have no
 * further effects.
 */
export async function converse(server: Server, pieces: readonly Buffer[]): Promise<Answered> {
  const end = new ServerEnd();
  end.on('error', () => {});
  server.emit('connection', end);
  let taken = 0;
  for (const piece of pieces) {
    if (end.destroyed) break;
    taken++;
    end.push(piece);
    for (let turns = 0; turns < pieceTurns; turns++) await turn();
  }
  for (let quiet = 0, last = -1; quiet < quietTurns; quiet++) {
    if (end.received !== last) quiet = 0;
    last = end.received;
    await turn();
  }
  end.push(null);
  end.destroy();
  await turn();
  return { text: end.text, taken };
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
