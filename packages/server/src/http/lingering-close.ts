import type { Socket } from 'node:net';
import { fixedLimits } from '../limits/fixed-limits.ts';

const { value: takingMs } = fixedLimits.lastAnswerMs;

/**
 * Has a connection that ends behind an answer end in stages (RFC 9112, 9.6). Closed while more comes, as the rest of a body that
 * is too large, it would be reset, and the client may never see the answer.
 */
export function closeLingering(socket: Socket): void {
  closing.add(socket);
  // Node calls it after the answer was written (`node-inside.ts` tries that at start).
  socket.destroySoon = endAndReadOn;
}

const closing = new WeakSet<Socket>();

/**
 * Whether what comes over a connection is read for nothing: behind the answer that ends it, whose turn may not have come yet, there
 * is no other.
 */
export function isClosing(socket: Socket): boolean {
  return socket.writableEnded || closing.has(socket);
}

function endAndReadOn(this: Socket): void {
  this.end();
  this.resume();
  const timer = setTimeout(() => this.destroy(), takingMs).unref();
  this.once('close', () => clearTimeout(timer));
}
