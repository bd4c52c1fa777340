import type { Server } from 'node:http';
import { Duplex } from 'node:stream';

/** The server's end of a connection that is in this process alone. */
class ServerEnd extends Duplex {
  received = 0;
  text = '';

  override _read(): void {}

  /** It has no timeout, as the streams of other modules have none; Node's own sockets do. */
  setTimeout(): this {
    return this;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.received += chunk.length;
    if (this.text.length < textMax) this.text += chunk.toString('latin1');
    done();
  }
}

/** How much of what the server says is kept. */
const textMax = 50_000;

export interface Answered {
  /** How the answer began. */
  readonly text: string;
  /** How many pieces there were before the server ended it. */
  readonly taken: number;
}

/** How many turns a piece has for itself: the handshake of a websocket waits for its turn, and what comes before it is done is lost. */
const pieceTurns = 4;

/** How many turns in a row nothing has to have come before all is taken for done. */
const quietTurns = 6;

/**
 * Sends the pieces to the server over a connection of their own, which then ends. Resolves when nothing more comes of
 * them.
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
