import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { Access } from '../access/access.ts';
import { bearerOf } from '../access/bearer.ts';
import type { Rights } from '../access/rights.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The rights of the client. Set only on routes with the hook {@link findRights}. */
    rights: Rights;
  }
}

/**
 * A hook that authenticates the client. It uses a callback: a promise would cost more than the rest of the
 * hook.
 */
export function findRights(
  access: Access,
): (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void {
  return (request, _reply, done) => {
    const token = bearerOf(request.headers);
    const known = access.known(token);
    if (known) {
      request.rights = known;
      return done();
    }
    void find(access, token, request, done);
  };
}

/**
 * A hook that checks the token again after the whole request has arrived. This may be long after {@link
 * findRights}.
 */
export function confirmToken(
  access: Access,
): (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void {
  return ({ rights }, _reply, done) => {
    try {
      access.confirm(rights);
    } catch (error) {
      return done(error as Error);
    }
    done();
  };
}

async function find(
  access: Access,
  token: string | undefined,
  request: FastifyRequest,
  done: HookHandlerDoneFunction,
): Promise<void> {
  try {
    request.rights = await access.authenticate(token, { request: request.raw });
  } catch (error) {
    return done(error as Error);
  }
  done();
}
