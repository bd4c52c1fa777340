import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** The open connections of an HTTP server, also those that were upgraded, which Node no longer counts as HTTP's. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();
  #onEmpty: (() => void) | undefined;

  constructor(server: Server) {
    const forget = (socket: Socket): void => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onEmpty?.();
    };
    // One listener for all: one for each would cost every idle connection some hundred bytes.
    function onClose(this: Socket): void {
      forget(this);
    }
    server.on('connection', (socket: Socket) => {
      // A connection whose offer of an upgrade was declined comes again.
      if (this.#sockets.has(socket)) return;
      this.#sockets.add(socket);
      socket.on('close', onClose);
    });
  }

  /** Resolves once none is open, or after the time. */
  async emptied(timeoutMs: number): Promise<void> {
    if (this.#sockets.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
