import { found, fine, skipped, type Check } from './check.ts';
import { requestLine } from './http-probe.ts';
import { PollingSession } from './polling-session.ts';
import { WebSocketError, WebSocketSession } from './websocket-session.ts';
import { failureOf } from './websocket.ts';

/** Can a client go from polling to a websocket, as clients do by default? */
export const upgrade: Check = {
  name: 'upgrade',
  async run(deployment) {
    if (!deployment.hasPolling || !deployment.hasWebSocket) return skipped('it needs polling and websockets');
    const opened = await PollingSession.open(deployment).catch(() => undefined);
    if (!opened) return skipped('it needs polling');
    const { sid } = opened.opening;
    const tried = `${requestLine(deployment.socketUrl('websocket', { sid }))} with Upgrade: websocket, then 2probe`;
    const session = new WebSocketSession(deployment, { sid, headers: opened.headers });
    try {
      await session.opened();
      session.send('2probe');
      const packet = await session.next();
      if (packet === '3probe') return fine('from polling to a websocket');
      return found('upgrade_broken', tried, `the packet ${packet.slice(0, 100)}`);
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      return { ...failureOf(tried, error.failure), code: 'upgrade_broken' };
    } finally {
      session.close();
      await opened.close();
    }
  },
};
