import { createServer } from 'node:http';
import { Engine, LoginRefusal, type App, type Client } from '@fanfare/engine';
import { limits, notFound, onEvent, refusalOf, type AppClient, type StartedEnd } from './app.ts';

/** Starts the engine with the app of the differential run. */
export function startEngine(): StartedEnd {
  const { packetBytesMax, loginTimeoutMs } = limits;
  // Stock Socket.IO has no limits on everything that comes before the login.
  const noLimits = { loginBytesMax: Infinity, loginFramesMax: Infinity, loginPacketsMax: Infinity };
  const engine = new Engine(app, { packetBytesMax, loginTimeoutMs, ...noLimits });
  const http = createServer((request, response) => {
    if (engine.isOurs(request)) engine.handleRequest(request, response);
    else notFound(request, response);
  });
  http.on('upgrade', (request, socket, head: Buffer) => {
    if (engine.isOurs(request)) engine.handleUpgrade(request, socket, head);
    else socket.destroy();
  });
  return { http, stop: () => engine.terminate() };
}

const app: App<null> = {
  // As the middlewares of Socket.IO, it takes longer than the packets that come with the login.
  login: async ({ auth }) => {
    const refusal = refusalOf(auth);
    return refusal === undefined ? null : new LoginRefusal(refusal, { code: 'bad' });
  },
  connected: () => {},
  event: (client, event) => {
    const [name, ...args] = event.values();
    const { id } = event;
    const acknowledge = (...answer: readonly unknown[]): void => {
      if (id !== undefined) client.acknowledge(id, inside(answer));
    };
    onEvent(clientOf(client), String(name), args, id === undefined ? undefined : acknowledge);
  },
  disconnected: () => {},
};

function clientOf(client: Client<null>): AppClient {
  return {
    emit: (event, ...args) => client.emit(event, inside(args)),
    disconnect: () => client.disconnect(),
    close: () => client.close(),
  };
}

/** The JSON values of an array, with commas between them. */
function inside(values: readonly unknown[]): string {
  return JSON.stringify(values).slice(1, -1);
}
