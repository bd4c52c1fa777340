// A pub/sub server with Socket.IO alone, over every transport. With connection state recovery if RECOVERY is
// set.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { answerPublish } from './publish-request.ts';
import { publishTo } from './topics-as-rooms.ts';

const port = Number(process.env['PORT']);
const recovery = process.env['RECOVERY'] ? { connectionStateRecovery: {} } : {};
const http = createServer((request, response) =>
  answerPublish(request, response, (message) => publishTo(io, message)),
);
const io = new Server(http, { ...recovery, serveClient: false });

io.on('connection', (socket) => {
  socket.on('subscribe', ({ topic }: { readonly topic: string }, acknowledge: () => void) => {
    void socket.join(topic);
    acknowledge();
  });
});
http.listen(port, '127.0.0.1', () => console.log(`port ${port}`));
