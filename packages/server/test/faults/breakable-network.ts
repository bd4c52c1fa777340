import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { soonMs, within } from '../../../../test/waits.ts';

/**
 * A network to a server that can be cut: all its TCP connections end at once, without HTTP or Socket.IO
 * packets.
 */
export class BreakableNetwork {
  readonly url: string;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(url: string, server: Server, port: number) {
    this.url = url;
    server.on('connection', (near) => {
      if (this.#isCut) {
        near.on('error', () => {}).destroy();
        return;
      }
      const far = connect(port, '127.0.0.1');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => {});
        socket.once('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    onTestFinished(() => {
      server.close();
      this.cut();
    });
  }

  static async to(url: string): Promise<BreakableNetwork> {
    const server = createServer().listen(0, '127.0.0.1');
    await within(soonMs, 'the proxy listens', once(server, 'listening'));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('there is no port');
    return new BreakableNetwork(`http://127.0.0.1:${address.port}`, server, Number(new URL(url).port));
  }

  /** Ends all connections, and refuses new ones until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }
}
