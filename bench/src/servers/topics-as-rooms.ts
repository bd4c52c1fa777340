import type { Server } from 'socket.io';
import type { Publish } from './publish-request.ts';

type Acknowledge = (answer: { readonly ok: true }) => void;

/** Lets clients subscribe to topics, which are rooms, and publish. */
export function serveTopics(io: Server): void {
  io.on('connection', (socket) => {
    socket.on('subscribe', ({ topic }: { readonly topic: string }, acknowledge: Acknowledge) => {
      void socket.join(topic);
      acknowledge({ ok: true });
    });
    socket.on('publish', (message: Publish, acknowledge: Acknowledge) => {
      publishTo(io, message);
      acknowledge({ ok: true });
    });
  });
}

export function publishTo(io: Server, { topic, message }: Publish): void {
  io.to(topic).emit(topic, { message });
}
