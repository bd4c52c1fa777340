import { found, fine, skipped, type Check, type Found } from './check.ts';
import type { Deployment } from './deployment.ts';
import { PollingError, PollingSession } from './polling-session.ts';

/** A load balancer that chooses at random finds the right server for all requests once in 4,096 times. */
const sessionsTried = 4;

/** Do all requests of a polling client reach the server that has its session? */
export const sessions: Check = {
  name: 'polling',
  async run(deployment) {
    if (!deployment.hasPolling) return skipped('the server has no polling of Engine.IO 4');
    let hasCookie = false;
    for (let count = 0; count < sessionsTried; count++) {
      try {
        hasCookie = await useSession(deployment);
      } catch (error) {
        const { tried, saw, isUnknown } = told(error);
        return found(isUnknown ? 'not_sticky' : 'polling_broken', tried, saw);
      }
    }
    const how = hasCookie ? ', with a cookie' : '';
    return fine(`${sessionsTried} sessions over several connections each${how}`);
  },
};

/** @returns whether the server set a cookie */
async function useSession(deployment: Deployment): Promise<boolean> {
  const session = await PollingSession.open(deployment);
  // Without a token the server may refuse it: that is a response too.
  await session.send('40');
  await session.next();
  await session.send('3');
  await session.close();
  return session.hasCookie;
}

function told(error: unknown): Pick<Found, 'tried' | 'saw'> & { isUnknown: boolean } {
  if (error instanceof PollingError) {
    const { tried, message, answer } = error;
    const isUnknown = answer.status === 400 && /"code":1\b|session/i.test(answer.body);
    return { tried, saw: message, isUnknown };
  }
  if ((error as Error).name !== 'TimeoutError') throw error;
  return { tried: 'a session over polling', saw: 'no response within 5 s', isUnknown: false };
}
