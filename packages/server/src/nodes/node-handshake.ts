import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { CallerParts, HandshakeParts } from './handshake-parts.ts';
import type { HostPort } from './host-port.ts';
import { startTls } from './node-tls.ts';

/*
 * The handshake with which a connection between two nodes begins if it has no TLS: each proves to the other
 * that it knows the key. After it, the connection carries HTTP.
 *
 *   caller   → listener   magic (8 bytes), nonce of the caller (16)
 *   listener → caller     nonce of the listener (16), proof of the listener (32)
 *   caller   → listener   proof of the caller (32)
 *
 * A proof is an HMAC-SHA256 over the role, the id of the listener and both nonces. So a recorded handshake is
 * useless for another connection, a proof cannot be sent back to its sender, and a caller notices if another
 * node listens at the address by now.
 *
 * Connections are authenticated, and not requests. A signature of each request would need clocks that agree,
 * and a memory of all signatures that were used, and it would cover neither bodies nor websockets.
 *
 * This handshake does not encrypt. A connection with TLS takes six times the memory, and a websocket in it
 * bypasses the direct writes of the fan-out. So nodes use TLS only if they use it for Redis too.
 */

/** Names the protocol and its version. */
const magic = Buffer.from('fanfare1');

const nonceBytes = 16;
const proofBytes = 32;

/** How long a node can take for the connection and the handshake, in milliseconds. */
export const handshakeMs = 2_000;

const otherKey = 'Another program listens at the address of the node, or the node has another key.';

type Role = 'caller' | 'listener';

/**
 * Opens an authenticated connection to another node.
 *
 * @throws Error if the node cannot be reached, or has not proven in time that it is this node
 */
export async function connectToNode(
  address: HostPort,
  { usesTls, ...parts }: HandshakeParts & CallerParts,
): Promise<Socket> {
  const socket = usesTls ? startTls(address, parts) : connect({ ...address, noDelay: true });
  const isLate = (): void => void socket.destroy(new Error('The node does not respond.'));
  const timer = setTimeout(isLate, handshakeMs);
  // Also for an error that comes before the user of the socket listens: it would end the process.
  socket.on('error', ignore);
  try {
    if (usesTls) await once(socket, 'secureConnect').catch(explainTlsError);
    else await callNode(socket, parts);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function callNode(socket: Socket, parts: HandshakeParts): Promise<void> {
  const nonce = randomBytes(nonceBytes);
  socket.write(Buffer.concat([magic, nonce]));
  const answer = await readExactly(socket, nonceBytes + proofBytes);
  const nonces = [nonce, answer.subarray(0, nonceBytes)];
  if (!isProof(answer.subarray(nonceBytes), 'listener', parts, nonces)) throw new Error(otherKey);
  socket.write(proofOf('caller', parts, nonces));
}

/** An error of TLS says what the other end has sent. Other errors are those of the connection. */
function explainTlsError(cause: Error & { readonly code?: string }): never {
  throw cause.code?.startsWith('ERR_SSL_') ? new Error(otherKey, { cause }) : cause;
}

/**
 * Checks that a caller is a node of the same Fanfare. Bytes after the handshake stay in the socket.
 *
 * @returns false if the caller is a stranger
 * @throws Error if the connection ends before
 */
export async function acceptNode(socket: Socket, parts: HandshakeParts): Promise<boolean> {
  const hello = await readExactly(socket, magic.length + nonceBytes);
  if (!hello.subarray(0, magic.length).equals(magic)) return false;
  const nonces = [hello.subarray(magic.length), randomBytes(nonceBytes)];
  socket.write(Buffer.concat([...nonces.slice(1), proofOf('listener', parts, nonces)]));
  return isProof(await readExactly(socket, proofBytes), 'caller', parts, nonces);
}

function proofOf(role: Role, { key, listenerId }: HandshakeParts, nonces: readonly Buffer[]): Buffer {
  const hmac = createHmac('sha256', key).update(`${role} ${listenerId} `);
  for (const nonce of nonces) hmac.update(nonce);
  return hmac.digest();
}

function isProof(given: Buffer, role: Role, parts: HandshakeParts, nonces: readonly Buffer[]): boolean {
  return timingSafeEqual(given, proofOf(role, parts, nonces));
}

/** Reads so many bytes and not one more: what follows is HTTP. */
export function readExactly(socket: Socket, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      socket.off('readable', onReadable).off('error', fail).off('close', onEnd).off('end', onEnd);
      settle();
    };
    const onReadable = (): void => {
      const read = socket.read(bytes) as Buffer | null;
      if (read?.length === bytes) finish(() => resolve(read));
    };
    const fail = (error: Error): void => finish(() => reject(error));
    const onEnd = (): void => fail(new Error('The connection ended during the handshake.'));
    socket.on('readable', onReadable).on('error', fail).on('close', onEnd).on('end', onEnd);
    onReadable();
  });
}

function ignore(): void {}
