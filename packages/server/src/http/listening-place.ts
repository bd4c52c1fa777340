import { statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/** Where a server listens, as `net.Server.listen()` takes it. */
export type ListeningPlace =
  { readonly host: string; readonly port: number } | { readonly path: string } | { readonly fd: number };

/** systemd passes sockets from this descriptor on (sd_listen_fds(3)). */
const firstPassed = 3;

/** @throws Error if the server is to listen on a socket of systemd, and there is none */
export function listeningPlaceOf(
  { listen, host, port }: { readonly listen: string; readonly host: string; readonly port: number },
  env: Readonly<Record<string, string | undefined>> = process.env,
): ListeningPlace {
  if (listen === 'systemd') {
    const isForUs = env['LISTEN_PID'] === String(process.pid) && Number(env['LISTEN_FDS']) >= 1;
    if (isForUs) return { fd: firstPassed };
    throw new Error(
      'systemd has passed no socket to this process: start it through its socket unit, or listen elsewhere (--listen).',
    );
  }
  if (listen !== '') return { path: listen.replace(/^unix:/, '') };
  // For `localhost`, Fastify would open a second server for the other address family, without Socket.IO.
  return { host: host.toLowerCase() === 'localhost' ? '127.0.0.1' : host, port };
}

/**
 * Removes the file of a Unix domain socket whose server was killed. It stays if a server listens there, or if
 * it is another kind of file.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  if (await isStale(path)) unlinkSync(path);
}

function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'ECONNREFUSED' && statSync(path).isSocket()),
    );
  });
}
