import type { Server } from 'node:http';

/** Listens on a port of this machine, by default a free one, and prints it. */
export function listen(server: Server, port = 0): void {
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object') console.log(`port ${address?.port}`);
  });
}
