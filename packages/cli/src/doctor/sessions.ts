import { found, fine, skipped, type Check, type Found } from './check.ts';
import type { Deployment } from './deployment.ts';
import { requestLine } from './http-probe.ts';
import { connectNamespace } from './namespace.ts';
import { PollingError, PollingSession } from './polling-session.ts';

/** A load balancer that chooses at random finds the right server for all requests once in 4,096 times. */
const sessionsTried = 4;

/** Do all requests of a polling client reach the server that has its session? */
export const sessions: Check = {
  name: 'polling',
  async run(deployment) {
    if (!deployment.hasPolling) return skipped('the server has no polling of Engine.IO 4');
    try {
      const [one, other] = [await PollingSession.open(deployment), await PollingSession.open(deployment)];
      if (one.opening.sid === other.opening.sid)
        return found('polling_cached', requestLine(deployment.socketUrl('polling')), 'the same `sid` twice');
      await Promise.all([one.close(), other.close()]);
      for (let count = 1; count < sessionsTried; count++) await useSession(deployment);
      const session = await useSession(deployment);
      const how = session.hasCookie ? ', with a cookie' : '';
      return fine(`${sessionsTried} sessions over several connections each${how}`);
    } catch (error) {
      const { tried, saw, isUnknown, isLate } = told(error);
      // A poll waits as long as the server has nothing to send, and its middleware can be stuck.
      if (isLate && (await connectNamespace(deployment, 'websocket')) === undefined)
        return skipped('the server does not respond to CONNECT, see token');
      return found(isUnknown ? 'not_sticky' : 'polling_broken', tried, saw);
    }
  },
};

async function useSession(deployment: Deployment): Promise<PollingSession> {
  const session = await PollingSession.open(deployment);
  await session.send('3');
  // Without a token the server may refuse it: that is a response too.
  await session.send('40');
  await session.next();
  await session.close();
  return session;
}

interface Told extends Pick<Found, 'tried' | 'saw'> {
  readonly isUnknown?: boolean;
  readonly isLate?: boolean;
}

function told(error: unknown): Told {
  if (error instanceof PollingError) {
    const { tried, message, answer } = error;
    const isUnknown = answer.status === 400 && /"code":1\b|session/i.test(answer.body);
    return { tried, saw: message, isUnknown };
  }
  if ((error as Error).name !== 'TimeoutError') throw error;
  return { tried: 'a session over polling', saw: 'no response within 5 s', isLate: true };
}
