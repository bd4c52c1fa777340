import { randomBytes } from 'node:crypto';
import { nodeIdLength } from './node-directory.ts';

/**
 * The random part of a session id, in characters: 90 bits. With the id of its node, a session id is as long
 * as those of Engine.IO.
 */
const randomLength = 15;

/** The target of a request that names a session. Other forms of an id belong to no node. */
const named = new RegExp(`[?&]sid=([\\w-]{${nodeIdLength}})[\\w-]{${randomLength}}(?:[&#]|$)`);

/** Makes the id of a session. It begins with the id of the node that has the session. */
export function newSessionId(nodeId: string): string {
  return nodeId + randomBytes(12).toString('base64url').slice(0, randomLength);
}

/** The node that the session of a request names. Undefined if the request names no session of a node. */
export function nodeOfSession(target: string): string | undefined {
  return named.exec(target)?.[1];
}
