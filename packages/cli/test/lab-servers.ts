import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';

/** How a server of the lab answers a client that asks for an acknowledgement. */
export type Acknowledgement = 'nothing' | 'never' | 'a text';

export interface LabServer {
  readonly url: string;
  readonly io: Server;
}

/**
 * A server as a student writes it: the lab contract and no more. It knows no envelopes, and answers
 * failures in its own ways.
 */
export async function startLabServer(acknowledgement: Acknowledgement): Promise<LabServer> {
  const topics = new Map<string, Set<string>>();
  const http = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { topic, message } = JSON.parse(body) as { topic: string; message: unknown };
      const subscribers = topics.get(topic);
      if (topic === 'crash') {
        response
          .writeHead(500, { 'content-type': 'text/html' })
          .end('<html><h1>Internal Server Error</h1></html>');
      } else if (!subscribers) {
        response.writeHead(404, { 'content-type': 'text/html' }).end(`Topic '${topic}' does not exist`);
      } else {
        for (const id of subscribers) io.to(id).emit(topic, { message });
        response.end(`Message published to topic '${topic}'`);
      }
    });
  });
  const io = new Server(http);
  io.on('connection', (socket) => {
    socket.on('subscribe', ({ topic }: { topic: string }, ack?: (...answer: unknown[]) => void) => {
      topics.set(topic, (topics.get(topic) ?? new Set()).add(socket.id));
      if (acknowledgement === 'nothing') ack?.();
      if (acknowledgement === 'a text') ack?.('subscribed');
    });
    socket.on('unsubscribe', ({ topic }: { topic: string }) => void topics.get(topic)?.delete(socket.id));
  });
  await startListening(http);
  onTestFinished(() => io.close());
  return { url: `http://localhost:${(http.address() as AddressInfo).port}`, io };
}

/** An HTTP server that is no Socket.IO server. */
export async function startOtherServer(): Promise<string> {
  const http = createServer((_request, response) => response.writeHead(404).end('<h1>Not Found</h1>'));
  await startListening(http);
  onTestFinished(() => void http.close());
  return `http://localhost:${(http.address() as AddressInfo).port}`;
}
