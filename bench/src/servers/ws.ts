// The smallest possible pub/sub server over WebSockets. A text is {"subscribe": topic} or
// {"publish": topic, "message": …}, and each is answered with {"ok":true}.
import { createServer } from 'node:http';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { listen } from './listen.ts';

interface Request {
  readonly subscribe?: string;
  readonly publish?: string;
  readonly message?: unknown;
}

const acknowledgement = '{"ok":true}';
const subscribers = new Map<string, Set<WebSocket>>();
const http = createServer();

new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', (socket) => {
  const mine = new Set<string>();
  socket.on('message', (data: RawData) => {
    if (!Buffer.isBuffer(data)) return;
    const request = JSON.parse(data.toString()) as Request;
    if (request.subscribe !== undefined) {
      mine.add(request.subscribe);
      subscribe(request.subscribe, socket);
    }
    if (request.publish !== undefined) publish(request.publish, request.message);
    socket.send(acknowledgement);
  });
  socket.on('close', () => {
    for (const topic of mine) subscribers.get(topic)?.delete(socket);
  });
});
listen(http);

function subscribe(topic: string, socket: WebSocket): void {
  const sockets = subscribers.get(topic);
  if (sockets) sockets.add(socket);
  else subscribers.set(topic, new Set([socket]));
}

function publish(topic: string, message: unknown): void {
  const text = JSON.stringify({ topic, message });
  for (const socket of subscribers.get(topic) ?? []) socket.send(text);
}
