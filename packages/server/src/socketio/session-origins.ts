import type { Server } from 'socket.io';
import { isAllowedOrigin } from '../access/allowed-origins.ts';
import type { EngineInside } from '../insides/engine-inside.ts';
import { guardRequests, type Refusal } from './request-guard.ts';

export const strangersPage = 'A page of another origin may not connect.';

const refusal: Refusal = { status: 403, code: 4, message: strangersPage };

/**
 * Has each request of a session, and its upgrade, come from a page that may connect: Engine.IO's `allowRequest` is asked about the
 * first alone. No other page knows the name of a session, so it is the second lock of a door.
 */
export function checkSessionOrigins(io: Server, origins: readonly string[], inside: EngineInside): void {
  guardRequests(io, inside, ({ headers }) => (isAllowedOrigin(headers, origins) ? undefined : refusal));
}
