// Prints every message of a topic or pattern once and in order, with the standard client. Lost connections
// and restarts of the server or of this program do not matter.
// Usage: node resuming-subscriber.js TOPIC FILE (FILE stores the position)
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { io } from 'socket.io-client';

const [topic = 'news', file = 'position.txt'] = process.argv.slice(2);
const tokenFile = process.env.FANFARE_TOKEN_FILE;
const socket = io(process.env.FANFARE_URL ?? 'http://localhost:5000', {
  // Socket.IO calls this on every connect, also after a token has expired.
  // Another program keeps the token in the file fresh.
  auth: (send) => send(tokenFile ? { token: readFileSync(tokenFile, 'utf8').trim() } : {}),
});
let from = existsSync(file) ? readFileSync(file, 'utf8') : 'new';

function moveTo(offset) {
  // Messages of a topic that keeps nothing have no offset.
  if (offset === undefined) return;
  // The rename writes the file completely or not at all, even if this program is killed.
  writeFileSync(`${file}.new`, (from = offset));
  renameSync(`${file}.new`, file);
}

socket.on('connect', () => {
  // This is a callback and not a promise, because the first message may follow the acknowledgement at once.
  socket.emit('subscribe', { topic, envelope: true, from }, ({ ok, offset, recovered, error }) => {
    if (!ok) return console.error(error.detail);
    if (recovered === false) console.error('Messages are missing: the server no longer has them.');
    moveTo(offset);
    console.error('Subscribed');
  });
});
socket.on('message', ({ message, offset }) => {
  console.log(JSON.stringify(message));
  moveTo(offset);
});
socket.on('state', ({ offset }) => moveTo(offset));
socket.on('gap', ({ dropped = 'Some' }) => console.error(`${dropped} messages are missing here.`));
socket.on('error', ({ detail }) => console.error(detail));
// Socket.IO does not reconnect by itself when the server has ended the connection.
socket.on('disconnect', () => socket.active || socket.connect());
