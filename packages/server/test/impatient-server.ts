import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attach } from '@fanfare/server';
import type { Server as SocketServer } from 'socket.io';
import { onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';
import { clientAddressesOf } from '../src/config/trust-proxy.ts';
import { resolveSettings } from '../src/config/resolve-settings.ts';
import { composeSocketIo } from '../src/compose-socketio.ts';
import { ClientRefusalLog } from '../src/observability/client-refusal-log.ts';
import { tryInsides } from '../src/try-insides.ts';
import { strictLogger } from './harness.ts';

export interface PingTimes {
  readonly pingInterval: number;
  readonly pingTimeout: number;
}

/** Our own Socket.IO server, with only the ping interval and timeout changed. */
export async function startImpatient(
  times: PingTimes,
): Promise<{ readonly url: string; readonly io: SocketServer }> {
  const settings = resolveSettings({
    flags: {},
    env: {},
    file: { path: 'the options', content: { memory: true } },
  });
  const { io, serve } = composeSocketIo({
    settings,
    addresses: clientAddressesOf(settings),
    refuse: () => undefined,
    refusalLog: new ClientRefusalLog(strictLogger),
    insides: await tryInsides(strictLogger),
    path: () => ({ isDraining: false, connections: { of: () => undefined } }),
  });
  const http = createServer((_request, response) => response.writeHead(404).end());
  serve(http);
  Object.assign(io.engine.opts, times);
  const fanfare = await attach(http, { memory: true, io, http: 'all' });
  await startListening(http);
  onTestFinished(async () => {
    await fanfare.stop();
    await io.close();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, io };
}
