import type { EventEmitter } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { PollingTransport } from './engine-inside.ts';
import { connectInMemory, type MemoryConnection } from './memory-connection.ts';

/** The public parts of engine.io's server. */
export interface Engine extends EventEmitter {
  attach(server: HttpServer, options: object): void;
  close(): void;
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

export type EngineClass = new (options: object) => Engine;

export interface Connection extends EventEmitter {
  readonly transport: PollingTransport & EventEmitter & { readonly name: string; readonly sid: string };
  send(data: string): void;
  close(): void;
}

export interface Session {
  readonly connection: Connection;
  readonly wire: MemoryConnection;
}

const path = '/trial/';
const head = 'HTTP/1.1\r\nHost: localhost\r\n';
const upgradeHeaders =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

const requestBytesMax = 1_000;

/** An engine.io server with clients in memory. */
export class Rehearsal {
  readonly engine: Engine;
  readonly #http = createServer();
  readonly #wires: MemoryConnection[] = [];

  constructor(EngineOf: EngineClass, wsEngine: unknown) {
    this.engine = new EngineOf({
      ...(wsEngine !== undefined && { wsEngine }),
      transports: ['polling', 'websocket'],
      maxHttpBufferSize: requestBytesMax,
      perMessageDeflate: false,
    });
    this.engine.attach(this.#http, { path, destroyUpgrade: false });
  }

  async open(transport: 'polling' | 'websocket'): Promise<Session> {
    const wire = this.#connect();
    let connection: Connection | undefined;
    const onConnection = (opened: Connection): void => void (connection = opened);
    this.engine.once('connection', onConnection);
    const headers = transport === 'websocket' ? upgradeHeaders : '';
    await wire.request(`GET ${path}?EIO=4&transport=${transport} ${head}${headers}\r\n`);
    this.engine.off('connection', onConnection);
    if (!connection) throw new Error(`no session opens over ${transport}`);
    return { connection, wire };
  }

  async poll({ connection, wire }: Session): Promise<string> {
    return bodyOf(await wire.request(`GET ${urlOf(connection)} ${head}\r\n`));
  }

  /** Sends a request with packets. @returns the connection that brings its answer */
  send({ connection }: Session, body: string): MemoryConnection {
    const wire = this.#connect();
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    wire.arrive(`POST ${urlOf(connection)} ${head}${length}\r\n\r\n${body}`);
    return wire;
  }

  /** Ends everything. Else ws would wait half a minute for closing frames, and keep the process alive. */
  close(): void {
    this.engine.close();
    for (const wire of this.#wires) wire.destroy();
  }

  #connect(): MemoryConnection {
    const { connection } = connectInMemory(this.#http);
    this.#wires.push(connection);
    return connection;
  }
}

function urlOf({ transport }: Connection): string {
  return `${path}?EIO=4&transport=polling&sid=${transport.sid}`;
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4);
}
