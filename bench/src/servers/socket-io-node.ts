// One of several pub/sub servers with Socket.IO: topics are rooms, and an adapter connects the servers over
// Redis. Adapter and client of Redis are set up as in the adapter's README. With connection state recovery if
// RECOVERY is set.
import { createServer } from 'node:http';
import { createAdapter as createRedisAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { listen } from './listen.ts';
import { answerPublish, keepAliveTimeoutMs } from './publish-request.ts';
import { publishTo, serveTopics } from './topics-as-rooms.ts';

const client = new Redis(Number(process.env['REDIS_PORT']), '127.0.0.1');
const recovery = process.env['RECOVERY'] ? { connectionStateRecovery: {} } : {};
const http = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) =>
  answerPublish(request, response, (message) => publishTo(io, message)),
);
const io = new Server(http, { adapter: createAdapter(), ...recovery, serveClient: false });

serveTopics(io);
listen(http, Number(process.env['PORT']));

function createAdapter(): ReturnType<typeof createRedisAdapter> | ReturnType<typeof createStreamsAdapter> {
  // The client reconnects by itself. Without a listener, it prints every failed attempt.
  client.on('error', () => {});
  if (process.env['ADAPTER'] === 'redis-streams') return createStreamsAdapter(client);
  const subscriber = client.duplicate();
  subscriber.on('error', () => {});
  return createRedisAdapter(client, subscriber);
}
