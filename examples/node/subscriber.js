// Subscribes to a topic and prints what is published to it: node subscriber.js TOPIC
import { io } from 'socket.io-client';

const [topic = 'news'] = process.argv.slice(2);
const socket = io(process.env.FANFARE_URL ?? 'http://localhost:5000');

// After a reconnect too, so that the subscription is there again.
socket.on('connect', async () => {
  const answer = await socket.emitWithAck('subscribe', { topic });
  console.log(answer.ok ? 'Subscribed' : answer.error.detail);
});
socket.on(topic, ({ message }) => console.log(`Received message for topic '${topic}':`, message));
socket.on('connect_error', ({ message }) => console.error('No connection:', message));
