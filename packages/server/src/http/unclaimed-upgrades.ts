import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { FanfareError } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { AnswerOrder, NodeInside, UpgradeRule } from '../insides/node-inside.ts';
import { hasBody } from '../access/has-body.ts';
import { requestsOn } from './http-connections.ts';
import { refuseConnection } from './problem.ts';

/** The headers that only have a meaning for an upgrade, in lower case. */
const upgradeHeaders: ReadonlySet<string> = new Set(['upgrade', 'http2-settings']);

/**
 * Answers requests with an upgrade that no listener claims, such as `h2c` from Java's HTTP client, as
 * ordinary requests. HTTP allows a server to ignore an upgrade, but Node gives every upgrade to its listeners
 * once there are any. The request is then put back into the connection without its upgrade headers.
 *
 * From Node 26 on, the body of an upgrade request cannot be put back; a rule of Node's declines upgrades with
 * a body. Like every Node server, this one then loses requests that are pipelined after such a request in the
 * same read.
 *
 * @param isOurs - whether an upgrade is for Socket.IO, which answers it
 * @param hasOthers - whether the app listens for upgrades too; then the app decides about all others
 * @param headBytesMax - how many bytes may follow one of our upgrades in the same read. With more, the
 *   connection is closed before its handshake, which would cost more than everything else
 * @returns undoes everything except listeners
 */
export function declineUnclaimedUpgrades(
  server: Server,
  isOurs: (request: IncomingMessage) => boolean,
  hasOthers: () => boolean,
  headBytesMax: () => number,
  { order, leavesBody, setUpgradeRule }: NodeInside,
): () => void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (isOurs(request)) return head.length > headBytesMax() ? void socket.destroy() : undefined;
    if (hasOthers()) return listenUntilTaken(socket);
    // Only reached where Node's rule cannot be used.
    if (!leavesBody && hasBody(request)) return refuseConnection(socket, bodyAfterUpgrade);
    const received = [Buffer.from(headWithoutUpgrade(request), 'latin1'), head];
    const stop = listenMeanwhile(socket, received, order);
    whenAnswered(socket, order, () => {
      stop();
      socket.pause().unshift(Buffer.concat(received));
      // The event with which Node's HTTP server takes over a connection, with or without TLS.
      server.emit(requestsOn(server), socket);
      socket.resume();
    });
  });
  const accepts: UpgradeRule = (request, usual) =>
    isOurs(request) || (hasOthers() ? usual() : !hasBody(request));
  return setUpgradeRule?.(server, accepts) ?? ignore;
}

const bodyAfterUpgrade = new FanfareError(
  'bad_request',
  'The server does not upgrade this connection: retry without the header `Upgrade`.',
);

/**
 * Until a listener of the app claims the socket, no code listens to it, and an error would end the program.
 */
function listenUntilTaken(socket: Socket): void {
  socket.on('error', ignore).on('end', endUntaken);
}

function endUntaken(this: Socket): void {
  // No code has begun to read the socket.
  if (this.readableFlowing === null) this.destroy();
}

function ignore(): void {}

/** Waits until the earlier requests on the connection are answered. */
function whenAnswered(socket: Socket, order: AnswerOrder, proceed: () => void): void {
  if (socket.destroyed || socket.readableEnded) return;
  const response = order.current(socket);
  if (!response) return proceed();
  response.once('close', () => setImmediate(() => whenAnswered(socket, order, proceed)));
}

/** The limit for bytes after an upgrade request that waits for earlier responses. */
const afterUpgradeMax = { bytes: fixedLimits.behindOfferBytesMax.value, pieces: 128 };

/**
 * Does for the current responses what Node does while it listens to a socket: they continue when the client
 * has read the data that was written, and they are informed when the client has gone.
 *
 * @param received - the bytes after their requests; more are added
 */
function listenMeanwhile(socket: Socket, received: Buffer[], order: AnswerOrder): () => void {
  let bytes = 0;
  const listeners = {
    error: ignore,
    data: (piece: Buffer) => {
      bytes += piece.length;
      if (received.push(piece) > afterUpgradeMax.pieces || bytes > afterUpgradeMax.bytes) socket.destroy();
    },
    drain: () => void order.current(socket)?.emit('drain'),
    end: () => void socket.end(),
    close: () => void order.current(socket)?.req.destroy(),
  };
  for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
  };
}

function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    const lowerName = name.toLowerCase();
    const kept = lowerName === 'connection' ? withoutUpgrade(value) : value;
    if (!upgradeHeaders.has(lowerName) && kept !== '') lines.push(`${name}: ${kept}`);
  }
  return [...lines, '', ''].join('\r\n');
}

function withoutUpgrade(connection: string): string {
  const options = connection.split(',').map((option) => option.trim());
  return options.filter((option) => !upgradeHeaders.has(option.toLowerCase())).join(', ');
}
