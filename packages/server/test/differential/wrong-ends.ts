import type { ServerResponse } from 'node:http';
import type { Server } from 'socket.io';
import type { WebSocket } from 'ws';
import type { StartEnd } from './compare.ts';
import { stockSocketIo } from './stock.ts';

/** The parts of Engine.IO that are changed here: methods of its sessions and transports. */
interface EngineSession {
  readonly transport: Record<string, Method>;
  readonly [name: string]: unknown;
}

type Method = (...args: unknown[]) => unknown;

interface EnginePacket {
  readonly type: string;
  readonly data?: string;
}

/** Replaces a method of every session, or of its first transport. */
function changed(
  of: 'session' | 'transport',
  name: string,
  change: (method: Method) => Method,
): (io: Server) => void {
  return (io) => {
    io.engine.on('connection', (session: EngineSession) => {
      const target = of === 'session' ? (session as unknown as Record<string, Method>) : session.transport;
      const method = target[name];
      if (!method) throw new Error(`Engine.IO has no method ${name}`);
      target[name] = change(method.bind(target));
    });
  };
}

/** Changes the packets that a session is given to send. */
function sending(change: (packet: EnginePacket) => readonly EnginePacket[]): (io: Server) => void {
  return changed('session', 'sendPacket', (send) => (type, data, ...rest) => {
    const packet = { type: String(type), ...(typeof data === 'string' && { data }) };
    for (const each of change(packet)) send(each.type, each.data, ...rest);
  });
}

/** Changes the responses of the HTTP server. */
function responding(change: (response: ServerResponse) => void): (io: Server) => void {
  return (io) => {
    io.httpServer.prependListener('request', (_request, response: ServerResponse) => change(response));
  };
}

function onEvents(
  pattern: RegExp,
  change: (packet: EnginePacket) => readonly EnginePacket[],
): (io: Server) => void {
  return sending((packet) =>
    packet.type === 'message' && pattern.test(packet.data ?? '') ? change(packet) : [packet],
  );
}

/** Servers with one fault each, and the fault in words. */
export const wrongEnds: Readonly<Record<string, StartEnd>> = {
  'sends no acknowledgements': stockSocketIo(onEvents(/^3/, () => [])),
  'sends every event twice': stockSocketIo(onEvents(/^2/, (packet) => [packet, packet])),
  'acknowledges another event': stockSocketIo(
    onEvents(/^3\d/, ({ type, data = '' }) => [
      { type, data: data.replace(/^3\d+/, (id) => `3${Number(id.slice(1)) + 1}`) },
    ]),
  ),
  'accepts other namespaces': stockSocketIo((io) => void io.of('/other')),
  'accepts a client that the app refuses': stockSocketIo(
    onEvents(/^4\{"message"/, ({ type }) => [{ type, data: '0{"sid":"AAAAAAAAAAAAAAAAAAAA"}' }]),
  ),
  'promises another ping interval': stockSocketIo(() => {}, { pingInterval: 26_000 }),
  'never pings': stockSocketIo(sending((packet) => (packet.type === 'ping' ? [] : [packet]))),
  'takes packets that exceed its limit': stockSocketIo((io) => {
    io.engine.on('connection', ({ transport }: { readonly transport: { maxHttpBufferSize?: number } }) => {
      transport.maxHttpBufferSize = Infinity;
    });
  }),
  'closes websockets with a code of its own': stockSocketIo((io) => {
    io.engine.on('connection', ({ transport }: { readonly transport: { readonly socket?: WebSocket } }) => {
      const close = transport.socket?.close.bind(transport.socket);
      if (transport.socket && close) transport.socket.close = () => close(1011);
    });
  }),
  'answers a refused request with another status': stockSocketIo(
    responding((response) => {
      const writeHead = response.writeHead.bind(response) as Method;
      response.writeHead = ((status: number, ...rest: unknown[]) =>
        writeHead(status === 400 ? 404 : status, ...rest)) as ServerResponse['writeHead'];
    }),
  ),
  'answers a post with another body': stockSocketIo(
    responding((response) => {
      const end = response.end.bind(response) as Method;
      response.end = ((body: unknown, ...rest: unknown[]) =>
        end(body === 'ok' ? 'OK' : body, ...rest)) as ServerResponse['end'];
    }),
  ),
  'sends the packets of a payload in another order': stockSocketIo(
    changed('transport', 'send', (send) => (packets) => send((packets as unknown[]).toReversed())),
  ),
  'ignores a wrong packet': stockSocketIo(changed('session', 'onError', () => () => {})),
  'does not end a session whose client closes it': stockSocketIo(
    changed('transport', 'onClose', () => () => {}),
  ),
};
