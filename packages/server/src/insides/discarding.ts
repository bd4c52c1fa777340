import type { IncomingMessage } from 'node:http';
import { untilTurn } from './memory-connection.ts';
import { get, rehearse } from './node-rehearsal.ts';
import { expectSame } from './trial.ts';

/** Discards the rest of a body as it arrives. */
export function dump(request: IncomingMessage): void {
  (request as unknown as { _dump(): void })._dump();
}

export async function tryDiscarding(): Promise<void> {
  const { connection, exchange } = rehearse();
  const arrived: string[] = [];
  const onData = (piece: Buffer): void => void arrived.push(piece.toString());
  connection.arrive('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc');
  const { request, response } = await exchange(1);
  request.on('data', onData);
  await untilTurn('the first half of a body', () => arrived.length > 0);
  request.off('data', onData);
  dump(request);
  request.on('data', onData);
  connection.arrive(`def${get}`);
  response.end();
  await exchange(2);
  expectSame('what has come of a body', [arrived, request.complete], [['abc'], true]);
}
