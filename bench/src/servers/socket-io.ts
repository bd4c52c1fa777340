// A pub/sub server with Socket.IO alone: topics are rooms.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listen } from './listen.ts';
import { answerPublish, keepAliveTimeoutMs } from './publish-request.ts';
import { publishTo, serveTopics } from './topics-as-rooms.ts';

const http = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) =>
  answerPublish(request, response, (message) => publishTo(io, message)),
);
const transports = process.argv.includes('--polling')
  ? (['polling', 'websocket'] as const)
  : (['websocket'] as const);
const io = new Server(http, { transports: [...transports], perMessageDeflate: false, serveClient: false });

serveTopics(io);
listen(http);
