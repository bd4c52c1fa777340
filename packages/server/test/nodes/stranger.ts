import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { soonMs, startListening, within } from '../../../../test/waits.ts';
import { startPair, type PairOptions } from './pair.ts';

/** A request as one node sends it to another. */
export const passedOn =
  'GET /socket.io/?sid=x HTTP/1.1\r\nHost: a\r\nfanfare-addresses: 127.0.0.1 127.0.0.1\r\n\r\n';

/** A port for nodes that counts the requests that it serves. */
export async function startPort(
  options: PairOptions = {},
): Promise<{ port: number; key: Buffer; served: string[]; url: string }> {
  const served: string[] = [];
  const serve = {
    isOurs: ({ url: target = '' }: IncomingMessage) => target.startsWith('/socket.io/'),
    request: (request: IncomingMessage, response: ServerResponse) => {
      served.push(request.url ?? '');
      response.end('served');
    },
  };
  const { nodePort, key, url } = await startPair(serve, options);
  return { port: nodePort, key, served, url };
}

/** A connection to a port, and everything that comes on it until it is closed. */
export function dial(port: number): { socket: Socket; received: () => Buffer; closed: Promise<Buffer> } {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece)).on('error', () => {});
  const received = (): Buffer => Buffer.concat(pieces);
  const closed = new Promise<Buffer>((resolve) => socket.once('close', () => resolve(received())));
  return { socket, received, closed: within(soonMs, 'the port closes the connection', closed, received) };
}

/** What goes over the connections to a port. */
export interface Recorder {
  /** The recorder's own port, which callers use instead. */
  readonly port: number;
  /** Everything that callers have sent. */
  readonly sent: () => Buffer;
  /** Everything that the port has sent. */
  readonly returned: () => Buffer;
}

/** Passes connections on to a port, and records what goes over them. */
export async function startRecorder(port: number): Promise<Recorder> {
  const sent: Buffer[] = [];
  const returned: Buffer[] = [];
  const recorder = createServer((caller) => {
    const listener = connect(port, '127.0.0.1');
    caller.on('data', (piece: Buffer) => sent.push(piece)).on('error', () => {});
    listener.on('data', (piece: Buffer) => returned.push(piece)).on('error', () => {});
    caller.pipe(listener);
    listener.pipe(caller);
  });
  const own = await startListening(recorder);
  onTestFinished(() => void recorder.close());
  return { port: own, sent: () => Buffer.concat(sent), returned: () => Buffer.concat(returned) };
}
