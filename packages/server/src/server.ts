import { Server as TlsServer } from 'node:tls';
import { FanfareError } from '@fanfare/protocol';
import type { FastifyListenOptions } from 'fastify';
import { parseAdminListen } from './config/admin-listen.ts';
import { compose, type Composed, type ComposeParts } from './compose.ts';
import type { Settings } from './config/settings.ts';
import { respondToHalfClosed } from './http/half-closed-connections.ts';
import { askFirst } from './http/ask-first.ts';
import { readRequestsInTurns } from './http/request-reader.ts';
import { listeningPlaceOf, removeStaleSocket } from './http/listening-place.ts';
import { urlOf } from './http/server-url.ts';
import { TcpConnections } from './http/tcp-connections.ts';
import { collectWhenIdle } from './idle-collection.ts';
import { ConnectionCounts } from './limits/connection-counts.ts';
import type { NodeDirectory } from './nodes/node-directory.ts';
import { programOf } from './program/program.ts';
import { reloadOf } from './reload.ts';
import { settingsOf, type FanfareServer, type ServerOptions } from './server-options.ts';
import { Shutdown } from './shutdown.ts';
import { stopInOrder } from './stop-sequence.ts';

/**
 * Makes a server with an HTTP server of its own. `start()` starts it.
 *
 * @throws SettingsError that names all wrong settings
 */
export function createServer(options: ServerOptions = {}): FanfareServer {
  return createNode(options);
}

/** @param directory - the nodes of which the server is one. Without it, the server is the only one */
export function createNode(options: ServerOptions, directory?: NodeDirectory): FanfareServer {
  const settings = settingsOf(options);
  let starting: Promise<Running> | undefined;
  let running: Running | undefined;
  // If the start fails, `start()` rejects, and there is nothing to stop.
  const shutdown = new Shutdown(async () => (await starting?.catch(() => undefined))?.stop());
  const onLost = (error: Error): void => shutdown.fail(error);
  const stopping = new AbortController();
  const composed = async (): Promise<Composed> => {
    if (!starting) throw new FanfareError('draining', 'The server has not been started.');
    return (await starting).composed;
  };
  return {
    ...programOf(composed),
    reload: async () => reloadOf(await composed()),
    start: async () => {
      starting ??= run(options, { settings, directory, onLost, stopSignal: stopping.signal });
      const { url } = (running = await starting);
      return url;
    },
    get adminUrl() {
      return running?.adminUrl;
    },
    stop: async () => {
      stopping.abort(new FanfareError('draining', 'The server was stopped before it had started.'));
      if (starting) await shutdown.begin();
    },
    ended: shutdown.ended,
  };
}

/** A server that listens. */
interface Running {
  readonly url: string;
  readonly adminUrl: string | undefined;
  readonly composed: Composed;
  stop(): Promise<void>;
}

async function run(options: ServerOptions, parts: Omit<ComposeParts, 'isAttached'>): Promise<Running> {
  const { settings } = parts;
  const composed = await compose(options, { ...parts, isAttached: false });
  const { http, clientEnd, nodes, node } = composed;
  clientEnd.serve(http.server);
  askFirst(http.server, composed.handlePublish);
  // Node would respond by itself to an unknown `Expect`, outside the turns of the requests.
  http.server.on('checkExpectation', (...exchange) => http.server.emit('request', ...exchange));
  readRequestsInTurns(http.server, node);
  respondToHalfClosed(http.server, node);
  const tcpConnections = new TcpConnections(http.server, new ConnectionCounts(settings), composed);
  const adminAddress = parseAdminListen(settings.adminListen);
  let adminUrl: string | undefined;
  try {
    adminUrl = adminAddress && (await composed.admin.listen(adminAddress));
    await nodes?.listen();
    await listen(composed, settings);
  } catch (error) {
    await nodes?.close();
    await composed.close();
    throw error;
  }
  const endIdleWork = collectWhenIdle(() => clientEnd.sessions);
  const url = urlOf(http.server);
  composed.serverLog.started(settings, { url, adminUrl });
  const stop = (): Promise<void> => stopInOrder(composed, settings, { endIdleWork, tcpConnections });
  return { url, adminUrl, composed, stop };
}

async function listen({ http, certificate }: Composed, settings: Settings): Promise<void> {
  const place = listeningPlaceOf(settings);
  if ('path' in place) await removeStaleSocket(place.path);
  // Fastify gives the options to Node, which also takes a descriptor.
  await http.listen(place as FastifyListenOptions);
  if (http.server instanceof TlsServer) certificate?.keepUp(http.server);
}
