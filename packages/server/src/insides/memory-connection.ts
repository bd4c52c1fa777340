import { createServer, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Many times what anything takes that happens in memory alone. In turns, since a busy machine has no bound in time. */
const turnsMax = 200;

/** Resolves once it is so. Rejects after so many turns of the event loop that it never will be. */
export async function untilTurn(what: string, isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn === turnsMax) throw new Error(`${what} does not happen`);
    await nextTurn();
  }
}

/** The server's end of a connection that exists in memory alone: trials need no port. */
export class MemoryConnection extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  /** What the server has sent and {@link answer} has not returned. */
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

  /** As if a client had sent these bytes. */
  arrive(bytes: string | Buffer): void {
    this.push(bytes);
  }

  /** The next whole HTTP answer. Rejects when none comes. */
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

/** Undefined as long as the answer is not whole. */
function answerLength(text: string): number | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [, length = '0'] = /^content-length: (\d+)/im.exec(text.slice(0, end)) ?? [];
  const whole = end + 4 + Number(length);
  return text.length < whole ? undefined : whole;
}

/** A server of Node's that listens nowhere, and a connection to it. */
export function connectInMemory(server: Server = createServer()): {
  readonly server: Server;
  readonly connection: MemoryConnection;
} {
  const connection = new MemoryConnection();
  server.emit('connection', connection);
  return { server, connection };
}
