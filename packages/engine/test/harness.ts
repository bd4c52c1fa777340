import { createServer, type Server as HttpServer } from 'node:http';
import { onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';
import { Engine, LoginRefusal, type App, type EngineOptions } from '../src/index.ts';
import type { Client } from '../src/client.ts';

/** What the tests' app knows of a client. */
export interface Identity {
  readonly auth: Readonly<Record<string, unknown>>;
}

/** What has happened to the clients of an app, in order. */
export interface TestApp extends App<Identity> {
  readonly clients: Set<Client<Identity>>;
  readonly happened: string[];
}

/**
 * An app that acknowledges each event with its arguments. The event `emit` gets its arguments back as an
 * event. A client whose `auth` has `refuse` is refused.
 */
export function echoApp(parts: Partial<App<Identity>> = {}): TestApp {
  const clients = new Set<Client<Identity>>();
  const happened: string[] = [];
  return {
    clients,
    happened,
    login: ({ auth }) => ('refuse' in auth ? new LoginRefusal('refused', auth['refuse']) : { auth }),
    connected: (client) => {
      clients.add(client);
      happened.push('connected');
    },
    event: (client, event) => {
      const [name, ...values] = event.values();
      const json = JSON.stringify(values).slice(1, -1);
      happened.push(`event ${String(name)}`);
      if (name === 'emit') client.emit('emitted', json);
      if (name === 'leave') client.disconnect();
      if (event.id !== undefined) client.acknowledge(event.id, json);
    },
    disconnected: (client, reason) => {
      clients.delete(client);
      happened.push(`disconnected: ${reason}`);
    },
    ...parts,
  };
}

export interface Started {
  readonly url: string;
  readonly engine: Engine<Identity>;
  readonly app: TestApp;
  readonly httpServer: HttpServer;
}

/** Starts an HTTP server with an engine. Other requests get 404. */
export async function startEngine(
  app: TestApp = echoApp(),
  options: Partial<EngineOptions> = {},
): Promise<Started> {
  const engine = new Engine(app, options);
  // Otherwise a client could send a request over a connection that is just being closed.
  const httpServer = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    if (engine.isOurs(request)) engine.handleRequest(request, response);
    else response.writeHead(404).end();
  });
  httpServer.on('upgrade', (request, socket, head: Buffer) => {
    if (engine.isOurs(request)) engine.handleUpgrade(request, socket, head);
    else socket.destroy();
  });
  onTestFinished(() => {
    httpServer.close();
    httpServer.closeAllConnections();
  });
  const port = await startListening(httpServer);
  return { url: `http://127.0.0.1:${port}`, engine, app, httpServer };
}
