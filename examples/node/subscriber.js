// Subscribes to a topic and prints its messages: node subscriber.js TOPIC
import { readFileSync } from 'node:fs';
import { io } from 'socket.io-client';

const [topic = 'news'] = process.argv.slice(2);
const tokenFile = process.env.FANFARE_TOKEN_FILE;
const socket = io(process.env.FANFARE_URL ?? 'http://localhost:5000', {
  // Socket.IO calls this on every connect, also after a token has expired.
  // Another program keeps the token in the file fresh.
  auth: (send) => send(tokenFile ? { token: readFileSync(tokenFile, 'utf8').trim() } : {}),
});

// The event also comes after a reconnect, so the program subscribes again.
socket.on('connect', async () => {
  const answer = await socket.emitWithAck('subscribe', { topic });
  console.log(answer.ok ? 'Subscribed' : answer.error.detail);
});
socket.on(topic, ({ message }) => console.log(`Received message for topic '${topic}':`, message));
socket.on('connect_error', ({ message }) => console.error('No connection:', message));
