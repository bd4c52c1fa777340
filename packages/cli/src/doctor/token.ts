import { found, fine, skipped, type Check, type Result } from './check.ts';
import type { Deployment } from './deployment.ts';
import { connectNamespace } from './namespace.ts';
import { withoutTokens } from './without-tokens.ts';

/** Does the server let the client into the namespace `/`, with the token if there is one? */
export const token: Check = {
  name: 'token',
  async run(deployment) {
    const { target, engineVersion, hasPolling, hasWebSocket } = deployment;
    const times = target.token === undefined ? undefined : timesOf(target.token);
    const now = Date.now();
    const shown = target.token === undefined ? 'CONNECT to / without a token' : 'CONNECT to / with the token';
    if (times?.endsAt !== undefined && times.endsAt <= now)
      return found('token_expired', 'the time `exp` of the token', ago('it expired', now - times.endsAt));
    if (times?.beginsAt !== undefined && times.beginsAt > now)
      return found(
        'token_early',
        'the time `nbf` of the token',
        `it begins in ${seconds(times.beginsAt - now)}`,
      );
    if (engineVersion !== 4 || !(hasPolling || hasWebSocket)) return skipped('no client can connect');
    const packet = await connectNamespace(deployment, hasWebSocket ? 'websocket' : 'polling');
    if (packet === undefined) return found('connect_refused', shown, 'no packet CONNECT within 5 s');
    if (packet.startsWith('40')) {
      if (target.token === undefined) return fine('clients without a token can connect');
      const left = times?.endsAt === undefined ? '' : `; it expires in ${seconds(times.endsAt - now)}`;
      return fine(`the server accepts it${left}`);
    }
    return refusal(deployment, shown, withoutTokens(packet, target.token));
  },
};

function refusal({ target, clockAheadMs = 0 }: Deployment, tried: string, packet: string): Result {
  const { message, code } = reasonOf(packet);
  const saw = code === undefined ? `connect_error: ${message}` : `connect_error ${code}: ${message}`;
  if (target.token === undefined) {
    const needsToken =
      code === undefined ? /auth|token|login|credential|forbidden/i.test(message) : /auth/.test(code);
    return found(needsToken ? 'token_missing' : 'connect_refused', tried, saw);
  }
  const isExpired = code === 'token_expired' || /expired/i.test(message);
  if (!isExpired) return found('token_refused', tried, saw);
  // It is still valid by our clock.
  const why = clockAheadMs > 0 ? ` (the clock of the server is ${seconds(clockAheadMs)} ahead)` : '';
  return found('token_expired', tried, `${saw}${why}`);
}

function reasonOf(packet: string): { message: string; code?: string } {
  try {
    const { message, data } = JSON.parse(packet.slice(2)) as {
      message?: unknown;
      data?: { code?: unknown } | null;
    };
    const code = data?.code;
    return { message: String(message), ...(typeof code === 'string' && { code }) };
  } catch {
    return { message: packet.slice(0, 100) };
  }
}

/** The times of a JSON Web Token, not verified. Other tokens have none that we could read. */
function timesOf(text: string): { beginsAt?: number; endsAt?: number } {
  try {
    const claims = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    const { nbf, exp } = claims;
    return {
      ...(typeof nbf === 'number' && { beginsAt: nbf * 1_000 }),
      ...(typeof exp === 'number' && { endsAt: exp * 1_000 }),
    };
  } catch {
    return {};
  }
}

function ago(what: string, ms: number): string {
  return `${what} ${seconds(ms)} ago`;
}

/** `90 s`, or a longer unit. */
function seconds(ms: number): string {
  const units = [
    ['days', 86_400_000],
    ['hours', 3_600_000],
    ['minutes', 60_000],
  ] as const;
  const [unit, length] = units.find(([, each]) => ms >= 2 * each) ?? ['s', 1_000];
  return `${Math.round(ms / length)} ${unit}`;
}
