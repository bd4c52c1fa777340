import type { Socket } from 'node:net';
import { fixedLimits } from '../limits/fixed-limits.ts';

const { value: lingerMs } = fixedLimits.lastAnswerMs;

/**
 * Closes a connection in two steps after its last response (lingering close, RFC 9112, 9.6). The client may
 * still be sending, such as the rest of a body that is too large. If the server closed at once, TCP would
 * reset the connection, and the response could be lost.
 */
export function closeLingering(socket: Socket): void {
  closing.add(socket);
  // Node calls this method after the response was written (`node-inside.ts` checks that at start).
  socket.destroySoon = endAndReadOn;
}

const closing = new WeakSet<Socket>();

/**
 * Whether a connection will be closed after a response that is already determined. Earlier responses may
 * still have to be sent. Everything that arrives on the connection is read and discarded.
 */
export function isClosing(socket: Socket): boolean {
  return socket.writableEnded || closing.has(socket);
}

function endAndReadOn(this: Socket): void {
  this.end();
  this.resume();
  const timer = setTimeout(() => this.destroy(), lingerMs).unref();
  this.once('close', () => clearTimeout(timer));
}
