import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';

/** How a proxy of the test breaks the connections that it passes on. */
export interface Breakage {
  /** Requests for a websocket get no response. */
  readonly swallowsUpgrades?: boolean;
  /** What the server sends over a websocket does not arrive. */
  readonly buffersWebSockets?: boolean;
  /** Websockets are closed once they are open. */
  readonly cutsWebSockets?: boolean;
  /** Changes the head of each response. */
  readonly changesHead?: (head: string) => string;
}

/** Starts a proxy between a client and a server, which nginx cannot be. @returns its URL */
export async function startBrokenProxy(upstream: string, breakage: Breakage): Promise<string> {
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(Number(new URL(upstream).port), '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        server.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      const isUpgrade = /^upgrade: websocket/im.test(bytes.toString('latin1'));
      if (!(isUpgrade && breakage.swallowsUpgrades === true)) server.write(bytes);
    });
    passResponse(server, client, breakage);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return `http://localhost:${await startListening(proxy)}`;
}

function passResponse(server: Socket, client: Socket, breakage: Breakage): void {
  let head = '';
  let isHeadOver = false;
  let isWebSocket = false;
  const passBody = (bytes: Buffer): void => {
    if (isWebSocket && breakage.buffersWebSockets === true) return;
    client.write(bytes);
  };
  server.on('data', (bytes: Buffer) => {
    if (isHeadOver) return passBody(bytes);
    head += bytes.toString('latin1');
    const end = head.indexOf('\r\n\r\n') + 4;
    if (end < 4) return;
    isHeadOver = true;
    isWebSocket = head.startsWith('HTTP/1.1 101');
    const changed = breakage.changesHead?.(head.slice(0, end)) ?? head.slice(0, end);
    client.write(Buffer.from(changed, 'latin1'));
    if (isWebSocket && breakage.cutsWebSockets === true) client.end();
    else passBody(Buffer.from(head.slice(end), 'latin1'));
  });
}
