import type { Server as HttpServer } from 'node:http';
import { compose, type Composed, type ComposeParts } from './compose.ts';
import { SettingsError } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import { isAttachedRoute } from './http/attached-routes.ts';
import { isClientScript } from './http/client-scripts.ts';
import { shareHttpServer } from './http/shared-http-server.ts';
import type { NodeDirectory } from './nodes/node-directory.ts';
import { programOf } from './program/program.ts';
import { reloadOf } from './reload.ts';
import { listenSettings, settingsOf, type AttachOptions, type Fanfare } from './server-options.ts';
import { Shutdown } from './shutdown.ts';
import { stopInOrder } from './stop-sequence.ts';

/**
 * The HTTP servers that have Fanfare. A second Fanfare on the same HTTP server would take the upgrades of the
 * first.
 */
const attached = new WeakSet<HttpServer>();

/**
 * Adds Fanfare to the HTTP server of an app (Express, Fastify, plain Node …). Fanfare handles `POST /publish`
 * and Socket.IO, and with `http: 'topics'` everything under `/topics`; the app handles every other request.
 * Call it after the app has added its own listener to the HTTP server.
 *
 * Without `open`, a key or `identify`, Fanfare refuses requests that do not come to a loopback address. The
 * app's own Socket.IO server is an exception: it decides itself which clients it accepts.
 *
 * Before the app closes its HTTP server, it must call `stop()`. Otherwise connected clients keep the HTTP
 * server open.
 *
 * @throws SettingsError that names all wrong settings
 * @throws Error if Fanfare is already attached to this HTTP server
 */
export async function attach(httpServer: HttpServer, options: AttachOptions = {}): Promise<Fanfare> {
  return attachNode(httpServer, options);
}

/** @param directory - the nodes of which the server is one. Without it, the server is the only one */
export async function attachNode(
  httpServer: HttpServer,
  options: AttachOptions,
  directory?: NodeDirectory,
): Promise<Fanfare> {
  if (attached.has(httpServer)) throw new Error('Fanfare is attached to this HTTP server already.');
  const settings = attachSettingsOf(options);
  attached.add(httpServer);
  const onLost = (error: Error): void => shutdown.fail(error);
  const attaching = run(httpServer, options, { settings, directory, onLost });
  const shutdown = new Shutdown(async () => (await attaching.catch(() => undefined))?.stop());
  const { composed } = await attaching.catch((error: unknown) => {
    attached.delete(httpServer);
    throw error;
  });
  return {
    ...programOf(async () => composed),
    reload: () => reloadOf(composed),
    stop: () => shutdown.begin(),
    ended: shutdown.ended,
  };
}

/** An attached Fanfare, and the function that stops it. */
interface Running {
  readonly composed: Composed;
  stop(): Promise<void>;
}

async function run(
  httpServer: HttpServer,
  { io: theirs, http: routes = 'publish', ...options }: AttachOptions,
  parts: Pick<ComposeParts, 'settings' | 'directory' | 'onLost'>,
): Promise<Running> {
  const composed = await compose(options, { ...parts, isAttached: true, theirs });
  const { settings } = parts;
  const { http, clientEnd, nodes, node } = composed;
  try {
    await http.ready();
    await nodes?.listen();
  } catch (error) {
    await nodes?.close();
    await composed.close();
    throw error;
  }
  const stopSharing = shareHttpServer(httpServer, {
    isOurs: (request) =>
      isAttachedRoute(request, routes, settings.origins !== '') || (!theirs && isClientScript(request)),
    answer: (request, response) => {
      if (!composed.handlePublish(request, response)) http.routing(request, response);
    },
    addOthers: () => clientEnd.serve(httpServer),
    node,
  });
  const leaveHttpServer = (): void => {
    stopSharing();
    attached.delete(httpServer);
  };
  composed.serverLog.started(settings, {});
  return { composed, stop: () => stopInOrder(composed, settings, { leaveHttpServer }) };
}

function attachSettingsOf({ io: _io, http: _http, ...options }: AttachOptions): Settings {
  const wrong = listenSettings.filter((name) => Object.hasOwn(options, name));
  if (wrong.length > 0)
    throw new SettingsError([`attach() does not take ${wrong.join(', ')}: the app itself listens.`]);
  return settingsOf(options);
}
