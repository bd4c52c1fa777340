import { randomUUID } from 'node:crypto';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { inspect } from 'node:util';
import { createServer, type FanfareServer, type ServerOptions } from '@fanfare/server';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { onTestFinished } from 'vitest';
import { nextEvent, soonMs, within } from '../../../test/waits.ts';

/** Fails a test whose server logs an unexpected error. Warnings about clients are ignored. */
export const strictLogger = {
  warn: (fields: object, message: string): void => {
    if (!('client' in fields)) strictLogger.error(fields, message);
  },
  error: (fields: object, message: string): void => {
    throw new Error(`the server logged: ${message}`, { cause: fields });
  },
};

/** A server may handle many requests before, and a busy machine makes each of them slower. */
const acknowledgedMs = 60_000;

/** A server closes a silent connection only after tens of seconds. */
const endedMs = 90_000;

export interface RunningServer {
  readonly url: string;
  readonly server: FanfareServer;
}

/** A server on a free port, stopped when the test ends. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const server = createServer({ port: 0, logger: strictLogger, ...options });
  const url = await server.start();
  onTestFinished(() => server.stop());
  return { url, server };
}

export type Transport = 'websocket' | 'polling' | 'upgrade';
export const transports: readonly Transport[] = ['websocket', 'polling', 'upgrade'];

/** A connected stock client, upgraded if the transport requires it. Closed when the test ends. */
export async function connectClient(
  url: string,
  transport: Transport = 'websocket',
  options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<Socket> {
  const client = io(url, {
    transports: transport === 'upgrade' ? ['polling', 'websocket'] : [transport],
    forceNew: true,
    reconnection: false,
    ...options,
  });
  onTestFinished(() => void client.close());
  const upgraded =
    transport === 'upgrade'
      ? new Promise<void>((resolve) => {
          client.io.once('open', () => client.io.engine.once('upgrade', () => resolve()));
        })
      : undefined;
  const connected = new Promise<void>((resolve, reject) => {
    client.once('connect', resolve);
    client.once('connect_error', reject);
  });
  await within(soonMs, `the client connects over ${transport}`, connected);
  if (upgraded) await within(soonMs, 'the client is upgraded to a websocket', upgraded);
  boundAcknowledgements(client);
  return client;
}

/** Makes a wait for an acknowledgement fail with a sentence when none comes. */
function boundAcknowledgements(client: Socket): void {
  const emitWithAck = client.emitWithAck.bind(client);
  client.emitWithAck = async (event, ...args: unknown[]) => {
    const request = inspect(args[0], { maxStringLength: 100, maxArrayLength: 3 });
    const acknowledgement: Promise<unknown> = emitWithAck(event, ...args);
    return within(acknowledgedMs, `\`${event}\` is acknowledged: ${request}`, acknowledgement);
  };
}

/** Records the events that a client gets, as `[event, ...arguments]`. */
export class Recorder {
  readonly events: unknown[][] = [];
  readonly #client: Socket;

  constructor(client: Socket) {
    this.#client = client;
    client.onAny((...event: unknown[]) => void this.events.push(event));
  }

  /**
   * The recorded events, after all events that the server sent before now have arrived. Deliveries keep their
   * order, so a last delivery ends the wait.
   */
  async settled(url: string): Promise<unknown[][]> {
    const fence = `fence ${randomUUID()}`;
    await this.#client.emitWithAck('subscribe', { topic: fence });
    const reached = nextEvent(this.#client, fence, 'everything that was sent to the client before has come');
    await publish(url, { topic: fence, message: null });
    await reached;
    return this.events.filter(([event]) => !String(event).startsWith('fence '));
  }
}

/** Sends a packet unchanged over the client's open websocket. */
export function sendPacket(client: Socket, packet: string): void {
  (client.io.engine.transport as unknown as { ws: { send(data: string): void } }).ws.send(packet);
}

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Publishes over HTTP. A string is sent unchanged, any other body as JSON. */
export async function publish(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  const response = await fetch(`${url}/publish`, {
    method: 'POST',
    // Otherwise a server that stops would wait for further requests on the connection.
    headers: { 'content-type': 'application/json', connection: 'close', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? '',
    text: await response.text(),
  };
}

/** A raw connection that collects the bytes from the server. Closed when the test ends. */
export function connectRaw(url: string): { socket: TcpSocket; ended: Promise<string> } {
  const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  // A reset counts as an end here: only the bytes before it matter.
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  const ended = within(endedMs, 'the server ends the connection', closed, () => text).then(() => text);
  // A test that does not wait for the end must not fail because of it.
  ended.catch(() => {});
  return { socket, ended };
}
