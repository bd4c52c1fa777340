// Prints every message of a topic or pattern once and in order, over lost connections and restarts of the server and of this
// program, with the stock client: node resuming-subscriber.js TOPIC FILE (where it keeps its position)
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { io } from 'socket.io-client';

const [topic = 'news', file = 'position.txt'] = process.argv.slice(2);
const tokenFile = process.env.FANFARE_TOKEN_FILE;
const socket = io(process.env.FANFARE_URL ?? 'http://localhost:5000', {
  // Called on every connect, also after a token has ended: something else keeps a fresh one in the file.
  auth: (send) => send(tokenFile ? { token: readFileSync(tokenFile, 'utf8').trim() } : {}),
});
let from = existsSync(file) ? readFileSync(file, 'utf8') : 'new';

function moveTo(offset) {
  // Messages of a topic that keeps nothing have none.
  if (offset === undefined) return;
  // Whole or not at all, should this program be killed meanwhile.
  writeFileSync(`${file}.new`, (from = offset));
  renameSync(`${file}.new`, file);
}

socket.on('connect', () => {
  // A callback and not a promise: the first message may come right behind the answer.
  socket.emit('subscribe', { topic, envelope: true, from }, ({ ok, offset, recovered, error }) => {
    if (!ok) return console.error(error.detail);
    if (recovered === false) console.error('Messages are missing: they are not kept any more.');
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
// When it is the server that ends the connection, Socket.IO leaves it at that.
socket.on('disconnect', () => socket.active || socket.connect());
