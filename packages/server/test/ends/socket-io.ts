import { createServer } from 'node:http';
import { attach } from '@fanfare/server';
import { onTestFinished } from 'vitest';
import { startListening } from '../../../../test/waits.ts';
import { composeSocketIo, type SocketIo } from '../../src/compose-socketio.ts';
import { resolveSettings } from '../../src/config/resolve-settings.ts';
import { clientAddressesOf } from '../../src/config/trust-proxy.ts';
import { ClientRefusalLog } from '../../src/observability/client-refusal-log.ts';
import { packetBudget } from '../../src/socketio/packet-budget.ts';
import { tryInsides, type Insides } from '../../src/try-insides.ts';
import { strictLogger } from '../harness.ts';
import type { PingTimes, TestedEnd } from './tested-end.ts';

/** Fanfare's own end on stock Socket.IO. */
export const socketIoEnd: TestedEnd = {
  packetBudget,
  startImpatient: async (times: PingTimes) => {
    const { io, serve } = composeEnd(await tryInsides(strictLogger));
    const http = createServer((_request, response) => response.writeHead(404).end());
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
};

/** The end without the message path. */
function composeEnd(insides: Insides): SocketIo {
  const file = { path: 'the options', content: { memory: true } };
  const settings = resolveSettings({ flags: {}, env: {}, file });
  return composeSocketIo({
    settings,
    addresses: clientAddressesOf(settings),
    refuse: () => undefined,
    refusalLog: new ClientRefusalLog(strictLogger),
    insides,
    path: () => ({ isDraining: false, connections: { of: () => undefined } }),
  });
}
