import { randomBytes } from 'node:crypto';

/** An id that nobody can guess. It has 20 characters, as the ids of Engine.IO and Socket.IO. */
export function newId(): string {
  return randomBytes(15).toString('base64url');
}
