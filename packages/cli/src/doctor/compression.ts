import { found, fine, skipped, type Check } from './check.ts';
import { requestLine } from './http-probe.ts';
import { WebSocketError, WebSocketSession } from './websocket-session.ts';
import { failureOf } from './websocket.ts';

/** Do websockets work if the client offers to compress messages, and does the server then compress? */
export const compression: Check = {
  name: 'compression',
  async run(deployment) {
    if (!deployment.hasWebSocket) return skipped('it needs websockets');
    const tried = `${requestLine(deployment.socketUrl('websocket'))} with Sec-WebSocket-Extensions: permessage-deflate`;
    const session = new WebSocketSession(deployment, { offersCompression: true });
    try {
      await session.next();
      const { extensions } = session;
      return extensions === '' ? fine('off') : found('websocket_compressed', tried, extensions);
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      return { ...failureOf(tried, error.failure), code: 'compression_broken' };
    } finally {
      session.close();
    }
  },
};
