import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connectInMemory, untilTurn, type MemoryConnection } from './memory-connection.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface Rehearsal {
  readonly server: Server;
  readonly connection: MemoryConnection;
  /** Resolves with the request of that number, from 1, when it has arrived. */
  readonly exchange: (number: number) => Promise<Exchange>;
}

/** An HTTP server of this Node, with a connection in memory. */
export function rehearse(): Rehearsal {
  const exchanges: Exchange[] = [];
  const listening = createServer((request, response) => void exchanges.push({ request, response }));
  const { server, connection } = connectInMemory(listening);
  const exchange = async (number: number): Promise<Exchange> => {
    await untilTurn(`request ${number}`, () => exchanges.length >= number);
    return exchanges[number - 1] as Exchange;
  };
  return { server, connection, exchange };
}

/** A request. */
export const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
