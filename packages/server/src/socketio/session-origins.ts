import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import { isAllowedOrigin } from '../access/allowed-origins.ts';

/** Engine.IO's check of a request that it gets; it is no documented one. */
interface Engine {
  verify(
    request: IncomingMessage,
    isUpgrade: boolean,
    answer: (code?: number, context?: { readonly message: string }) => void,
  ): void;
}

/** Engine.IO's code for what is answered with 403. */
const forbidden = 4;

export const strangersPage = 'A page of another origin may not connect.';

/**
 * Has each request of a session, and its upgrade, come from a page that may connect: Engine.IO's `allowRequest` is asked about the
 * first alone. No other page knows the name of a session, so it is the second lock of a door.
 */
export function checkSessionOrigins(io: Server, origins: readonly string[]): void {
  const engine = io.engine as unknown as Engine;
  const verify = engine.verify.bind(engine);
  engine.verify = (request, isUpgrade, answer) => {
    if (isAllowedOrigin(request.headers, origins)) verify(request, isUpgrade, answer);
    else answer(forbidden, { message: strangersPage });
  };
}
