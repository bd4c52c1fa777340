import { found, fine, type Check, type Found } from './check.ts';
import type { Deployment } from './deployment.ts';
import { probe, requestLine, seen } from './http-probe.ts';
import { WebSocketError, WebSocketSession } from './websocket-session.ts';
import { failureOf } from './websocket.ts';

/** Can a web page connect (CORS, and the server's own check of `Origin`)? */
export const origin: Check = {
  name: 'origin',
  async run(deployment) {
    return (
      (deployment.hasPolling ? await pollingProblem(deployment) : undefined) ??
      (deployment.hasWebSocket ? await webSocketProblem(deployment) : undefined) ??
      fine(`web pages of ${deployment.origin} can connect`)
    );
  },
};

async function pollingProblem(deployment: Deployment): Promise<Found | undefined> {
  const { target, isOwnOrigin } = deployment;
  const url = deployment.socketUrl('polling');
  const tried = `${requestLine(url)} with Origin: ${deployment.origin}`;
  const answer = await probe(target, url, { headers: { origin: deployment.origin } });
  if (answer.status !== 200) return refused(deployment, tried, seen(answer));
  if (isOwnOrigin) return undefined;
  const allowed = answer.valuesOf('access-control-allow-origin');
  const saw = allowed.map((value) => `Access-Control-Allow-Origin: ${value}`).join(', ');
  if (allowed.length > 1 || allowed[0]?.includes(',') === true) return found('cors_twice', tried, saw);
  if (allowed[0] === deployment.origin || allowed[0] === '*') return undefined;
  return found('cors_missing', tried, saw === '' ? 'no Access-Control-Allow-Origin' : saw);
}

async function webSocketProblem(deployment: Deployment): Promise<Found | undefined> {
  const session = new WebSocketSession(deployment, { headers: { origin: deployment.origin } });
  try {
    await session.next();
    return undefined;
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    const tried = `a websocket with Origin: ${deployment.origin}`;
    return refused(deployment, tried, failureOf(tried, error.failure).saw);
  } finally {
    session.close();
  }
}

function refused({ isOwnOrigin }: Deployment, tried: string, saw: string): Found {
  return found(isOwnOrigin ? 'host_changed' : 'origin_refused', tried, saw);
}
