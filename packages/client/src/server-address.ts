import type { ManagerOptions } from 'socket.io-client';

/**
 * The options of Socket.IO's manager, without those that the SDK sets by itself so that the connection comes back.
 *
 * - `path` is Socket.IO's path on the server, such as `/realtime/`; `/socket.io/` below the URL when not given
 * - `extraHeaders`, `withCredentials` (send cookies to another origin) and `query` hold for {@link Fanfare.history} as well
 *
 * @example
 * const options: SocketOptions = { path: '/realtime/', transports: ['websocket'], withCredentials: true };
 */
export type SocketOptions = Partial<
  Omit<ManagerOptions, 'autoConnect' | 'forceNew' | 'multiplex' | 'reconnection' | 'reconnectionAttempts'>
>;

/** Where a server is: `path` is what comes before `/socket.io/` and `/messages`, without a slash at its end. */
export interface ServerAddress {
  readonly origin: string;
  readonly path: string;
}

/**
 * Reads the URL of a server; in a browser, it may be relative to the page.
 *
 * @throws TypeError when it is none
 */
export function parseAddress(url: string): ServerAddress {
  const base = (globalThis as { document?: { baseURI: string } }).document?.baseURI;
  const { origin, pathname, protocol } = new URL(url, base);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new TypeError(`'${url}' is not the URL of a server. Use one such as http://localhost:5000.`);
  return { origin, path: pathname.replace(/\/+$/, '') };
}
