import { found, fine, type Check, type Found } from './check.ts';
import type { Deployment } from './deployment.ts';
import { readOpening } from './engine-packets.ts';
import { probe, requestLine, seen, type ProbeAnswer } from './http-probe.ts';
import { WebSocketSession } from './websocket-session.ts';

/** Does Socket.IO respond at the path that clients use? */
export const path: Check = {
  name: 'path',
  async run(deployment) {
    const url = deployment.socketUrl('polling');
    const tried = requestLine(url);
    const answer = await probe(deployment.target, url);
    if (takes(deployment, answer)) return fine(`Socket.IO responds at ${deployment.socketPath}`);
    if (answer.status >= 502 && answer.status <= 504)
      return { ...found('gateway_error', tried, seen(answer)), isLast: true };
    if (await hasOnlyWebSockets(deployment))
      return fine(`Socket.IO responds at ${deployment.socketPath}, only to websockets`);
    const elsewhere = await search(deployment);
    if (elsewhere !== undefined) {
      const saw = `${seen(answer)}; but Socket.IO responds at ${elsewhere}`;
      deployment.socketPath = elsewhere;
      return found('path_differs', tried, saw);
    }
    return { ...failure(deployment, tried, answer), isLast: true };
  },
};

/** Whether this is Socket.IO. Also notes what the response says. */
function takes(deployment: Deployment, { status, body }: ProbeAnswer): boolean {
  const opening = status === 200 ? readOpening(body) : undefined;
  // Engine.IO says this to a client of a version that it does not speak.
  const isRefusal = status === 400 && body.startsWith('{"code":5,');
  if (!opening && !isRefusal) return false;
  deployment.engineVersion = opening?.engineVersion ?? 3;
  deployment.offersWebSocket = opening?.upgrades.includes('websocket') ?? true;
  deployment.hasPolling = opening?.engineVersion === 4;
  return true;
}

async function hasOnlyWebSockets(deployment: Deployment): Promise<boolean> {
  const session = new WebSocketSession(deployment);
  try {
    if (!readOpening(await session.next())) return false;
    deployment.engineVersion = 4;
    return true;
  } catch {
    return false;
  } finally {
    session.close();
  }
}

/** Looks for Socket.IO at the paths where it also can be: the URL itself, and the paths above it. */
async function search(deployment: Deployment): Promise<string | undefined> {
  const { target } = deployment;
  const segments = new URL(target.name).pathname.split('/').filter((segment) => segment !== '');
  const above = segments
    .map((_, at) => `/${[...segments.slice(0, at), 'socket.io'].join('/')}/`)
    .toReversed();
  for (const candidate of [`/${segments.join('/')}/`.replace('//', '/'), ...above]) {
    const url = `${target.origin}${candidate}?EIO=4&transport=polling`;
    const answer = await probe(target, url).catch(() => undefined);
    if (answer && takes(deployment, answer)) return candidate;
  }
  return undefined;
}

function failure({ socketPath }: Deployment, tried: string, answer: ProbeAnswer): Found {
  const { status, headers, body } = answer;
  if (status >= 300 && status < 400)
    return found('redirected', tried, `HTTP ${status} to ${headers.location ?? 'an unknown place'}`);
  if (/HTTP\/1\.0/.test(body)) return found('http_1_0', tried, seen(answer));
  if (status === 401 || status === 403 || status === 429)
    return found('handshake_refused', tried, seen(answer));
  // Most servers name the path that they got: "Cannot GET /socket.io/", "nothing at /socket.io/".
  const got = /(?:GET|POST|at) (\/[\w./~%-]*\/?)/.exec(body)?.[1]?.replace(/\.$/, '');
  if (got !== undefined && /socket\.io/.test(got) && (got !== socketPath || got !== '/socket.io/'))
    return found('prefix_not_removed', tried, `${seen(answer)} (the server was asked for ${got})`);
  return found('path_missing', tried, seen(answer));
}
