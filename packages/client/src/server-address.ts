import type { ManagerOptions } from 'socket.io-client';

/**
 * The options of Socket.IO's manager, except those that the SDK sets itself for its reconnection.
 *
 * - `path` is the path of Socket.IO on the server, such as `/realtime/`. Default: `/socket.io/` below the URL
 * - `extraHeaders`, `withCredentials` (send cookies to another origin) and `query` also apply to {@link
 *   Fanfare.history}
 *
 * @example
 * const options: SocketOptions = { path: '/realtime/', transports: ['websocket'], withCredentials: true };
 */
export type SocketOptions = Partial<
  Omit<ManagerOptions, 'autoConnect' | 'forceNew' | 'multiplex' | 'reconnection' | 'reconnectionAttempts'>
>;

/** The address of a server. `path` precedes `/socket.io/` and `/messages`, and has no slash at its end. */
export interface ServerAddress {
  readonly origin: string;
  readonly path: string;
}

/**
 * Parses the URL of a server. In a browser, it can be relative to the page.
 *
 * @throws TypeError if it is not the URL of a server
 */
export function parseAddress(url: string): ServerAddress {
  const base = (globalThis as { document?: { baseURI: string } }).document?.baseURI;
  const { origin, pathname, protocol } = new URL(url, base);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new TypeError(`'${url}' is not the URL of a server. Use one such as http://localhost:5000.`);
  return { origin, path: pathname.replace(/\/+$/, '') };
}
