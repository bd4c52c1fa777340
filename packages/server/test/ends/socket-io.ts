import { createServer } from 'node:http';
import { attach } from '@fanfare/server';
import { onTestFinished } from 'vitest';
import { startListening } from '../../../../test/waits.ts';
import { composeSocketIo, type SocketIo } from '../../src/compose-socketio.ts';
import { resolveSettings } from '../../src/config/resolve-settings.ts';
import type { Settings } from '../../src/config/settings.ts';
import { clientAddressesOf } from '../../src/config/trust-proxy.ts';
import { tryNode, type NodeInside } from '../../src/insides/node-inside.ts';
import { ClientRefusalLog } from '../../src/observability/client-refusal-log.ts';
import { packetBudget } from '../../src/socketio/packet-budget.ts';
import { PollingResponses } from '../../src/socketio/polling-responses.ts';
import { UnreadAnswers } from '../../src/socketio/unread-answers.ts';
import { tryInsides, type Insides } from '../../src/try-insides.ts';
import { limits, notFound } from '../differential/app.ts';
import { serveApp } from '../differential/app-on-socket-io.ts';
import { strictLogger } from '../harness.ts';
import type { PingTimes, TestedEnd } from './tested-end.ts';

/** Fanfare's own end on stock Socket.IO. */
export const socketIoEnd: TestedEnd = {
  packetBudget,
  startImpatient: async (times: PingTimes) => {
    const { io, serve } = composeEnd(
      settingsOf({}),
      await tryInsides(strictLogger),
      await tryNode(strictLogger),
    );
    const http = createServer(notFound);
    serve(http);
    Object.assign(io.engine.opts, times);
    const fanfare = await attach(http, { memory: true, io, http: 'all' });
    const port = await startListening(http);
    onTestFinished(async () => {
      await fanfare.stop();
      await io.close();
    });
    return { url: `http://127.0.0.1:${port}`, sessions: () => io.engine.clientsCount };
  },
  withApp: async () => {
    const insides = await tryInsides(strictLogger);
    const node = await tryNode(strictLogger);
    const settings = settingsOf({
      // An Engine.IO packet may have twice as many bytes, and 65,536 more.
      publishBytesMax: (limits.packetBytesMax - 65_536) / 2,
      loginBytesMax: limits.packetBytesMax,
      loginTimeoutMs: limits.loginTimeoutMs,
    });
    return () => {
      const { io, serve } = composeEnd(settings, insides, node);
      const http = createServer(notFound);
      serve(http, new PollingResponses(insides.engine, () => {}));
      const answers = new UnreadAnswers(insides);
      io.on('connection', (socket) => {
        answers.begin(socket);
        socket.on('disconnecting', () => answers.end(socket));
      });
      serveApp(io);
      return { http, stop: () => void io.engine.close() };
    };
  },
};

function settingsOf(content: object): Settings {
  const file = { path: 'the options', content: { memory: true, ...content } };
  return resolveSettings({ flags: {}, env: {}, file });
}

/** The end without the message path. */
function composeEnd(settings: Settings, insides: Insides, node: NodeInside): SocketIo {
  return composeSocketIo({
    settings,
    addresses: clientAddressesOf(settings),
    refuse: () => undefined,
    refusalLog: new ClientRefusalLog(strictLogger),
    insides,
    node,
    path: () => ({ isDraining: false, connections: { of: () => undefined } }),
  });
}
