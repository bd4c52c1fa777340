// An app's own Socket.IO server with the adapter of @fanfare/fanout. It prints its address: node stock-app.js
// [compressed]
import { createServer } from 'node:http';
import { fanoutAdapter } from '@fanfare/fanout';
import { Server } from 'socket.io';

const perMessageDeflate = process.argv[2] === 'compressed';
const http = createServer();
const io = new Server(http, { adapter: fanoutAdapter({ outboxBytesMax: 1_000_000 }), perMessageDeflate });

/** A turn of the event loop, with all that was broadcast in it written. */
async function turn() {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

io.on('connection', (socket) => {
  // Alternates broadcasts with events for one socket, in one turn of the event loop.
  socket.on('mixed', (/** @type {number} */ count) => {
    for (let number = 0; number < count; number += 2) {
      io.emit('news', number, 'x'.repeat(100));
      for (const each of io.sockets.sockets.values()) each.emit('news', number + 1, 'x'.repeat(100));
    }
  });
  socket.on('join', (/** @type {string} */ room, /** @type {() => void} */ done) => {
    void socket.join(room);
    done();
  });
  // Sends many events to a room, as fast as the requesting client reads.
  socket.on('much', async (/** @type {string} */ room, /** @type {number} */ count) => {
    for (let number = 0; number < count; number++) {
      io.to(room).emit('news', number, 'x'.repeat(100_000));
      await socket.emitWithAck('read');
    }
  });
  // Whether broadcasts are written directly to the connection, past this socket's stream.
  socket.on('direct', async (/** @type {(isDirect: boolean) => void} */ answer) => {
    const tcp = /** @type {{ transport: { socket: { _socket: import('node:net').Socket } } }} */ (
      /** @type {unknown} */ (socket.conn)
    ).transport.socket._socket;
    let writes = 0;
    const write = tcp.write.bind(tcp);
    tcp.write = (/** @type {unknown[]} */ ...args) => {
      writes++;
      return write(.../** @type {[Uint8Array]} */ (args));
    };
    const deadline = performance.now() + 20_000;
    for (let before = -1; before < writes && performance.now() < deadline;) {
      before = writes;
      io.to(socket.id).emit('ping');
      await turn();
      if (writes === before) return answer(true);
    }
    answer(false);
  });
});

http.listen(0, '127.0.0.1', () => {
  const address = /** @type {import('node:net').AddressInfo} */ (http.address());
  console.log(`http://127.0.0.1:${address.port}`);
});
process.on('SIGTERM', () => void io.close());
