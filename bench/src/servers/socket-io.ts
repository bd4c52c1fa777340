// A pub/sub server with Socket.IO alone: topics are rooms.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listen } from './listen.ts';
import { answerPublish, keepAliveTimeoutMs, type Publish } from './publish-request.ts';

type Acknowledge = (answer: { readonly ok: true }) => void;

const http = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) =>
  answerPublish(request, response, publish),
);
const transports = process.argv.includes('--polling')
  ? (['polling', 'websocket'] as const)
  : (['websocket'] as const);
const io = new Server(http, { transports: [...transports], perMessageDeflate: false, serveClient: false });

io.on('connection', (socket) => {
  socket.on('subscribe', ({ topic }: { readonly topic: string }, acknowledge: Acknowledge) => {
    void socket.join(topic);
    acknowledge({ ok: true });
  });
  socket.on('publish', (message: Publish, acknowledge: Acknowledge) => {
    publish(message);
    acknowledge({ ok: true });
  });
});
listen(http);

function publish({ topic, message }: Publish): void {
  io.to(topic).emit(topic, { message });
}
