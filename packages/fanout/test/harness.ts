import { EventEmitter } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import { io as connect, type Socket as ClientSocket } from 'socket.io-client';
import { Encoder, type Packet } from 'socket.io-parser';
import { onTestFinished } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { soonMs, startListening, until as boundedUntil, within } from '../../../test/waits.ts';

export interface Served {
  readonly io: Server;
  readonly url: string;
}

/** Starts a Socket.IO server, which ends with the test. */
export async function serve(
  options: Partial<ServerOptions> = {},
  http: HttpServer | HttpsServer = createServer(),
): Promise<Served> {
  const io = new Server(http, options);
  await startListening(http);
  const connections = new Set<NetSocket>();
  http.on('connection', (connection: NetSocket) => connections.add(connection));
  onTestFinished(async () => {
    // A client that does not read would not see the end either.
    for (const connection of connections) connection.destroy();
    await io.close();
  });
  return { io, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

export type Way = 'websocket' | 'polling' | 'upgrade';

/** Connects. Resolves once the client is connected, which may be before its upgrade. */
export async function join(url: string, way: Way = 'websocket'): Promise<ClientSocket> {
  const client = connect(url, {
    transports: way === 'upgrade' ? ['polling', 'websocket'] : [way],
    reconnection: false,
    forceNew: true,
  });
  onTestFinished(() => void client.disconnect());
  await once(client, 'connect');
  return client;
}

export async function once(client: ClientSocket, event: string): Promise<unknown[]> {
  const args = new Promise<unknown[]>((resolve) => {
    client.once(event, (...given: unknown[]) => resolve(given));
  });
  return within(soonMs, `a client gets the event ${event}`, args);
}

/** A test may do much before it ends what a client collects. */
const collectedMs = 90_000;

/** Everything a client gets, until the event `end`. */
export async function collect(client: ClientSocket): Promise<unknown[][]> {
  const events: unknown[][] = [];
  const all = new Promise<unknown[][]>((resolve) => {
    client.onAny((event: string, ...args: unknown[]) => {
      if (event === 'end') resolve(events);
      else events.push([event, ...args]);
    });
  });
  return within(collectedMs, 'a client gets the event `end`', all, () => `${events.length} events`);
}

/** The server's end of the only client. */
export function onlySocket(io: Server): Socket {
  const [socket] = io.sockets.sockets.values();
  if (!socket) throw new Error('there is no socket');
  return socket;
}

/** The TCP connection of a client over websocket: pause it, and the client reads nothing. */
export function tcpOf(client: ClientSocket): NetSocket {
  const { transport } = client.io.engine as unknown as { transport: { ws: { _socket: NetSocket } } };
  return transport.ws._socket;
}

/** Waits, turn by turn, until a condition holds for which there is no event. */
export async function until(holds: () => boolean): Promise<void> {
  await boundedUntil(String(holds), holds);
}

/** Waits for some turns of the event loop, in which everything that was collected is written. */
export async function turn(): Promise<void> {
  for (let count = 0; count < 4; count++) await new Promise((resolve) => setImmediate(resolve));
}

/** The first broadcast makes a connection use direct writes. */
export async function warmUp(io: Server): Promise<void> {
  io.emit('warm-up');
  await turn();
}

interface Inside {
  readonly transport: {
    readonly socket: {
      readonly _socket: NetSocket & { readonly _handle: { writeBuffer: (...args: unknown[]) => unknown } };
    };
  };
}

/** The TCP connection of a socket over websocket. */
function serverTcpOf(socket: Socket): Inside['transport']['socket']['_socket'] {
  return (socket.conn as unknown as Inside).transport.socket._socket;
}

/** Counts the writes to the TCP connection of a socket, through Node's stream and past it. */
export function countWrites(socket: Socket): () => number {
  const { _handle: handle } = serverTcpOf(socket);
  return counting(handle, 'writeBuffer');
}

/** Counts the writes to the TCP connection of a socket that go through Node's stream. */
export function countStreamWrites(socket: Socket): () => number {
  return counting(serverTcpOf(socket), 'write');
}

function counting<Name extends string>(
  object: Record<Name, (...args: never[]) => unknown>,
  name: Name,
): () => number {
  const method = object[name] as (...args: unknown[]) => unknown;
  let calls = 0;
  Object.defineProperty(object, name, {
    configurable: true,
    value: (...args: unknown[]) => {
      calls++;
      return method.apply(object, args);
    },
  });
  return () => calls;
}

interface Warned {
  readonly code: string | undefined;
  readonly message: string;
}

/** Records the warnings of the process until the test ends. */
export function warnings(): readonly Warned[] {
  const warned: Warned[] = [];
  const listener = ({ code, message }: Error & { readonly code?: string }): void =>
    void warned.push({ code, message });
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  return warned;
}

/** An encoder whose packets are not text. */
export class BufferEncoder extends Encoder {
  override encode(packet: Packet): unknown[] {
    return (super.encode(packet) as unknown[]).map((part) =>
      typeof part === 'string' ? Buffer.from(part) : part,
    );
  }
}

/** A WebSocket that sends in its own way, like those of other engines. */
class OtherWebSocket extends EventEmitter {
  readonly #inner: WebSocket;

  constructor(inner: WebSocket) {
    super();
    this.#inner = inner;
    for (const event of ['message', 'close', 'error']) {
      inner.on(event, (...args: unknown[]) => this.emit(event, ...args));
    }
  }

  send(data: string | Buffer, callback: (error?: Error) => void): void {
    this.#inner.send(data, callback);
  }

  close(): void {
    this.#inner.close();
  }
}

export class OtherEngine extends WebSocketServer {
  override handleUpgrade(
    ...[request, socket, head, done]: Parameters<WebSocketServer['handleUpgrade']>
  ): void {
    super.handleUpgrade(request, socket, head, (webSocket) => {
      done(new OtherWebSocket(webSocket) as unknown as WebSocket, request);
    });
  }
}
