import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Session } from './session.ts';

/** Why a request is refused. The codes and messages are those of Engine.IO, which clients know. */
export interface Refusal {
  readonly status: number;
  readonly code: number;
  readonly message: string;
}

export const refusals = {
  transport: { code: 0, message: 'Transport unknown', status: 400 },
  session: { code: 1, message: 'Session ID unknown', status: 400 },
  method: { code: 2, message: 'Bad handshake method', status: 400 },
  request: { code: 3, message: 'Bad request', status: 400 },
  jsonp: { code: 4, message: 'JSONP is not supported: Engine.IO 4 does not have it.', status: 403 },
  version: { code: 5, message: 'Unsupported protocol version', status: 400 },
  oldClient: {
    code: 5,
    message: 'Unsupported protocol version: use a Socket.IO 3 or 4 client.',
    status: 400,
  },
  unavailable: { code: 1, message: 'The node of this session does not respond.', status: 503 },
};

/** What a request asks for. */
export interface Query {
  readonly transport: string | null;
  readonly sid: string;
  readonly version: string | null;
  readonly isJsonp: boolean;
}

export function queryOf({ url = '' }: IncomingMessage): Query {
  const at = url.indexOf('?');
  const fields = new URLSearchParams(at === -1 ? '' : url.slice(at));
  // As Engine.IO reads it, the last of several values counts.
  const last = (name: string): string | null => fields.getAll(name).at(-1) ?? null;
  return {
    transport: last('transport'),
    sid: last('sid') ?? '',
    version: last('EIO'),
    isJsonp: fields.has('j'),
  };
}

/** @returns why a request is refused before anyone is asked. Undefined: it is not */
export function refusalOf(
  { transport, sid, version, isJsonp }: Query,
  { method }: IncomingMessage,
  isUpgrade: boolean,
  session: Session | undefined,
): Refusal | undefined {
  if (transport !== 'polling' && transport !== 'websocket') return refusals.transport;
  if (sid !== '') {
    if (!session) return refusals.session;
    if (!isUpgrade && session.transportName !== transport) return refusals.request;
    return version === '4' ? undefined : refusals.request;
  }
  if (method !== 'GET') return refusals.method;
  if (transport === 'websocket' && !isUpgrade) return refusals.request;
  if (isJsonp) return refusals.jsonp;
  // A client that asks for a WebSocket is told over it, because it does not see the body of a refusal.
  return version === '4' || isUpgrade ? undefined : refusals.version;
}

export function refuse(response: ServerResponse, { status, code, message }: Refusal): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ code, message }));
}

/** Engine.IO has one status for all refusals of an upgrade. */
export function refuseUpgrade(socket: Duplex, { status, message }: Refusal): void {
  const line = status === 503 ? '503 Service Unavailable' : '400 Bad Request';
  const head = `Connection: close\r\nContent-type: text/html\r\nContent-Length: ${Buffer.byteLength(message)}`;
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${line}\r\n${head}\r\n\r\n${message}`, () => socket.destroy());
}
