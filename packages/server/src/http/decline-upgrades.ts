import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** What only means something to an upgrade, in lower case. */
const upgradeHeaders: ReadonlySet<string> = new Set(['upgrade', 'http2-settings', 'connection']);

/**
 * Answers requests that offer an upgrade which nobody here takes, such as `h2c` from Java's HTTP client, as if
 * they had not offered it, which HTTP lets a server do. Node gives every offer to the listeners for upgrades
 * instead, once there are any.
 *
 * @param isTaken - whether an upgrade is somebody's, who will answer it
 */
export function declineUpgrades(server: Server, isTaken: (request: IncomingMessage) => boolean): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (isTaken(request)) return;
    socket.unshift(Buffer.concat([Buffer.from(headWithoutUpgrade(request), 'latin1'), head]));
    server.emit('connection', socket);
  });
}

function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (!upgradeHeaders.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  return [...lines, '', ''].join('\r\n');
}
