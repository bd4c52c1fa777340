import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** What only means something to an upgrade, in lower case. */
const upgradeHeaders: ReadonlySet<string> = new Set(['upgrade', 'http2-settings']);

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
    // Node listens no longer, and an error that nobody listens to ends the program.
    socket.on('error', ignore);
    whenAnswered(socket, () => {
      socket.off('error', ignore);
      socket.unshift(Buffer.concat([Buffer.from(headWithoutUpgrade(request), 'latin1'), head]));
      // What Node's HTTP server takes over, with TLS or without.
      server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
    });
  });
}

/** The requests before this one on its connection may not be answered yet; Node keeps whose turn it is in `_httpMessage`. */
function whenAnswered(socket: Socket & { _httpMessage?: ServerResponse | null }, proceed: () => void): void {
  if (socket.destroyed) return;
  if (!socket._httpMessage) return proceed();
  socket._httpMessage.once('close', () => setImmediate(() => whenAnswered(socket, proceed)));
}

function ignore(): void {}

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
