import { createServer, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Many times what an exchange in memory takes. Turns are counted, not time: a busy machine would make trials fail. */
const turnsMax = 200;

/** Resolves when it is so. Rejects after {@link turnsMax} turns of the event loop. */
export async function untilTurn(what: string, isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn === turnsMax) throw new Error(`${what} does not happen`);
    await nextTurn();
  }
}

/** The server's end of a connection in memory. Trials with it need no port. */
export class MemoryConnection extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  /** The text that the server has sent, without the answers that {@link answer} has returned. */
  sent = '';

  constructor() {
    super({
      read() {},
      write: (chunk: Buffer, _encoding, done) => {
        this.sent += chunk.toString('latin1');
        done();
      },
    });
    this.on('error', () => {});
  }

  /** Gives the server these bytes, as if a client had sent them. */
  arrive(bytes: string | Buffer): void {
    this.push(bytes);
  }

  /** Ends the client's side. */
  leave(): void {
    this.push(null);
  }

  /** Resolves with the next complete HTTP answer. Rejects when there is none. */
  async answer(): Promise<string> {
    let length: number | undefined;
    await untilTurn('an answer', () => (length = answerLength(this.sent)) !== undefined);
    const answer = this.sent.slice(0, length);
    this.sent = this.sent.slice(length);
    return answer;
  }

  /** Sends an HTTP request, and returns its answer. */
  async request(text: string): Promise<string> {
    this.arrive(text);
    return this.answer();
  }
}

/** Undefined when the answer is not complete. */
function answerLength(text: string): number | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [, length = '0'] = /^content-length: (\d+)/im.exec(text.slice(0, end)) ?? [];
  const whole = end + 4 + Number(length);
  return text.length < whole ? undefined : whole;
}

/** Connects to an HTTP server that does not need to listen. */
export function connectInMemory(server: Server = createServer()): {
  readonly server: Server;
  readonly connection: MemoryConnection;
} {
  const connection = new MemoryConnection();
  server.emit('connection', connection);
  return { server, connection };
}
