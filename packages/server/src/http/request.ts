import { refuseField } from '@fanfare/protocol';
import type { FastifyRequest } from 'fastify';
import type { Source } from '../limits/rate-limits.ts';
import { Query } from './query.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The address of the client, which a trusted proxy passes on; undefined over a socket in the file system. */
    readonly address: string | undefined;
  }
}

/** The id of a publish, as the header gives it. */
export function idOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  return typeof header === 'string' ? header : undefined;
}

/** Who asks. */
export function sourceOf({ rights, raw: { socket }, address }: FastifyRequest): Source {
  return { connection: socket, subject: rights.identity.subject, address };
}

/**
 * A name that a request is about: of its path, or of its query, where no proxy decodes `%2F`.
 *
 * @param kind - what is named: a parameter of the route's path or of the query
 * @throws FanfareError when it is missing, there twice or not properly encoded
 */
export function nameOf({ params, url }: FastifyRequest, kind: 'topic' | 'subject'): string {
  const name = (params as Readonly<Record<string, string>>)[kind] ?? new Query(url).text(kind);
  if (name !== undefined) return name;
  throw refuseField('bad_request', kind, `${kind} is missing: name it in the query, as ?${kind}=….`);
}
