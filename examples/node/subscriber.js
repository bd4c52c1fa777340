// Subscribes to a topic and prints what is published to it: node subscriber.js TOPIC
import { readFileSync } from 'node:fs';
import { io } from 'socket.io-client';

const [topic = 'news'] = process.argv.slice(2);
const tokenFile = process.env.FANFARE_TOKEN_FILE;
const socket = io(process.env.FANFARE_URL ?? 'http://localhost:5000', {
  // Called on every connect, also after a token has ended: something else keeps a fresh one in the file.
  auth: (send) => send(tokenFile ? { token: readFileSync(tokenFile, 'utf8').trim() } : {}),
});

// After a reconnect too, so that the subscription is there again.
socket.on('connect', async () => {
  const answer = await socket.emitWithAck('subscribe', { topic });
  console.log(answer.ok ? 'Subscribed' : answer.error.detail);
});
socket.on(topic, ({ message }) => console.log(`Received message for topic '${topic}':`, message));
socket.on('connect_error', ({ message }) => console.error('No connection:', message));
