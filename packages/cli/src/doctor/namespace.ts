import type { Deployment } from './deployment.ts';
import { answerMs } from './http-probe.ts';
import { PollingError, PollingSession } from './polling-session.ts';
import { WebSocketError, WebSocketSession } from './websocket-session.ts';

/**
 * Connects to the namespace `/`, with the token if there is one.
 *
 * @returns the server's response: `40…` if it lets the client in, `44…` if not. Undefined if none comes
 */
export async function connectNamespace(
  deployment: Deployment,
  transport: 'websocket' | 'polling',
): Promise<string | undefined> {
  const { token } = deployment.target;
  let session: WebSocketSession | PollingSession | undefined;
  try {
    if (transport === 'websocket') {
      session = new WebSocketSession(deployment);
      await session.next();
    } else session = await PollingSession.open(deployment);
    await session.send(token === undefined ? '40' : `40${JSON.stringify({ token })}`);
    // A server can send a ping first. A login can take longer than a packet.
    for (;;) {
      const packet = await session.next(answerMs);
      if (packet.startsWith('4')) return packet;
      if (packet !== '2') return undefined;
    }
  } catch (error) {
    if (error instanceof WebSocketError || error instanceof PollingError) return undefined;
    if ((error as Error).name === 'TimeoutError') return undefined;
    throw error;
  } finally {
    await session?.close();
  }
}
