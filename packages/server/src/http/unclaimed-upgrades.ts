import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { FanfareError } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { AnswerOrder, NodeInside, UpgradeRule } from '../insides/node-inside.ts';
import { refuseConnection } from './problem.ts';

/** What only means something to an upgrade, in lower case. */
const upgradeHeaders: ReadonlySet<string> = new Set(['upgrade', 'http2-settings']);

/**
 * Answers requests that offer an upgrade which nobody here takes, such as `h2c` from Java's HTTP client, as if
 * they had not offered it, which HTTP lets a server do. Node gives every offer to the listeners for upgrades
 * instead, once there are any. The request is put back into the connection then, without its offer. From Node 26 on, the body
 * of an offer cannot be put back, and a rule of Node's declines offers with one. Like every server of Node's, it loses requests
 * that are pipelined behind such an offer in the same read.
 *
 * @param isOurs - whether an upgrade is Socket.IO's, which answers it
 * @param headBytesMax - the bytes that may follow an upgrade of ours in the same read. With more, the connection is closed before its
 * handshake, which would cost more than everything else
 * @param hasOthers - whether the app listens for upgrades too; then it decides about all that are not ours
 * @returns undoes it, but for listeners
 */
export function declineUnclaimedUpgrades(
  server: Server,
  isOurs: (request: IncomingMessage) => boolean,
  hasOthers: () => boolean,
  headBytesMax: number,
  { order, leavesBody, setUpgradeRule }: NodeInside,
): () => void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (isOurs(request)) return head.length > headBytesMax ? void socket.destroy() : undefined;
    if (hasOthers()) return listenUntilTaken(socket);
    // Only where the rule cannot be used.
    if (!leavesBody && hasBody(request)) return refuseConnection(socket, bodyBehindOffer);
    const come = [Buffer.from(headWithoutUpgrade(request), 'latin1'), head];
    const stop = listenMeanwhile(socket, come, order);
    whenAnswered(socket, order, () => {
      stop();
      socket.pause().unshift(Buffer.concat(come));
      // What Node's HTTP server takes over, with TLS or without.
      server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
      socket.resume();
    });
  });
  const accepts: UpgradeRule = (request, usual) =>
    isOurs(request) || (hasOthers() ? usual() : !hasBody(request));
  return setUpgradeRule?.(server, accepts) ?? ignore;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

const bodyBehindOffer = new FanfareError(
  'bad_request',
  'The server does not upgrade this connection: retry without the header `Upgrade`.',
);

/** The app may leave it to somebody else, or take its time, and nobody listens to it before; an error would end the program. */
function listenUntilTaken(socket: Socket): void {
  socket.on('error', ignore).on('end', endUntaken);
}

function endUntaken(this: Socket): void {
  // Nobody has begun to read it.
  if (this.readableFlowing === null) this.destroy();
}

function ignore(): void {}

/** The requests before this one on its connection may not be answered yet. */
function whenAnswered(socket: Socket, order: AnswerOrder, proceed: () => void): void {
  if (socket.destroyed || socket.readableEnded) return;
  const answer = order.current(socket);
  if (!answer) return proceed();
  answer.once('close', () => setImmediate(() => whenAnswered(socket, order, proceed)));
}

/** How much may come behind an offer whose turn it is not yet. */
const behindMax = { bytes: fixedLimits.behindOfferBytesMax.value, pieces: 128 };

/**
 * Does for the answers that are under way what Node does as long as it listens: has them go on once the client has taken
 * what was written, and be told when it has gone.
 *
 * @param come - what came behind them; more is added
 */
function listenMeanwhile(socket: Socket, come: Buffer[], order: AnswerOrder): () => void {
  let bytes = 0;
  const listeners = {
    error: ignore,
    data: (piece: Buffer) => {
      bytes += piece.length;
      if (come.push(piece) > behindMax.pieces || bytes > behindMax.bytes) socket.destroy();
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
