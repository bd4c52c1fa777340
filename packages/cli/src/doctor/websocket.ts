import { found, fine, type Check, type Found } from './check.ts';
import { readOpening } from './engine-packets.ts';
import { requestLine, seen } from './http-probe.ts';
import { WebSocketError, WebSocketSession, type WebSocketFailure } from './websocket-session.ts';

/** Does a websocket open, and does what the server sends arrive? */
export const websocket: Check = {
  name: 'websocket',
  async run(deployment) {
    const tried = `${requestLine(deployment.socketUrl('websocket'))} with Upgrade: websocket`;
    const startedMs = performance.now();
    const session = new WebSocketSession(deployment);
    try {
      const packet = await session.next();
      if (!readOpening(packet))
        return found('websocket_refused', tried, `the packet ${packet.slice(0, 100)}`);
      deployment.hasWebSocket = true;
      return fine(`opens after ${Math.ceil(performance.now() - startedMs)} ms`);
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      const failure = failureOf(tried, error.failure);
      return deployment.offersWebSocket ? failure : { ...failure, code: 'websocket_off' };
    } finally {
      session.close();
    }
  },
};

/** The finding about a failed websocket. */
export function failureOf(tried: string, failure: WebSocketFailure): Found {
  switch (failure.kind) {
    case 'refused': {
      // Engine.IO says this to a request without `Upgrade`.
      const isPlain = failure.status === 400 && /"code":[03]\b|upgrade/i.test(failure.body);
      const isPage = failure.status === 426 || failure.status === 200;
      return found(isPlain || isPage ? 'websocket_not_upgraded' : 'websocket_refused', tried, seen(failure));
    }
    case 'no answer':
      return found('websocket_hangs', tried, 'no response within 5 s');
    case 'silent':
      return found('websocket_buffered', tried, 'HTTP 101, and then no packet within 3 s');
    case 'cut':
      return found('websocket_cut', tried, `HTTP 101, and then a close with code ${failure.closeCode}`);
    case 'error':
      if (/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT/.test(failure.reason)) throw new Error(failure.reason);
      return found('websocket_refused', tried, failure.reason);
  }
}
