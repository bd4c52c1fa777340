// Fanfare in a Fastify app that has a Socket.IO server with events of its own.
import { attach } from '@fanfare/server';
import fastify from 'fastify';
import { Server } from 'socket.io';

const app = fastify();
const io = new Server(app.server);
io.on('connection', (socket) => {
  socket.on('whoami', (answer) => answer(socket.id));
});

app.get('/', async () => 'The app serves this page, and Fanfare handles POST /publish.\n');
const fanfare = await attach(app.server, { io });
// Fanfare stops before the app closes, because connected clients would keep the app open.
app.addHook('preClose', async () => {
  await fanfare.stop();
  io.engine.close();
});

const url = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 8003) });
console.log(`Subscribe to a topic and publish to it on ${url}`);
process.once('SIGTERM', () => void app.close());
