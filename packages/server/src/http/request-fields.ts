import type { IncomingMessage } from 'node:http';
import { refuseField } from '@fanfare/protocol';
import type { FastifyRequest } from 'fastify';
import type { Source } from '../limits/rate-limits.ts';
import { Query } from './query.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The address of the client, also when a trusted proxy forwards it; undefined over a Unix domain socket.
     */
    readonly address: string | undefined;
  }
}

const keyHeader = 'Idempotency-Key';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The id of a publish from the header `Idempotency-Key`: the same text as `id` in a body.
 *
 * @throws FanfareError `bad_request` if the header is repeated or is not UTF-8
 */
export function idOf({
  headers,
  raw,
}: Pick<FastifyRequest, 'headers'> & { raw: Pick<IncomingMessage, 'headersDistinct'> }): string | undefined {
  const header = headers['idempotency-key'];
  if (typeof header !== 'string') return undefined;
  // Node joins repeated headers.
  const values = raw.headersDistinct['idempotency-key'];
  if (values && values.length > 1)
    throw refuseField('bad_request', keyHeader, `The header \`${keyHeader}\` must not be repeated.`);
  try {
    // Node decodes headers as Latin-1.
    return utf8.decode(Buffer.from(header, 'latin1'));
  } catch {
    throw refuseField('bad_request', keyHeader, `The header \`${keyHeader}\` must be UTF-8.`);
  }
}

/** The source of a request, for the rate limits. */
export function sourceOf({ rights, raw: { socket }, address }: FastifyRequest): Source {
  return { connection: socket, subject: rights.identity.subject, address };
}

/**
 * Reads a name from the path or the query of a request. In a query, no proxy decodes `%2F`.
 *
 * @param kind - the parameter of the route's path or of the query
 * @throws FanfareError if the name is missing, repeated or not properly encoded
 */
export function nameOf({ params, url }: FastifyRequest, kind: 'topic' | 'subject'): string {
  const name = (params as Readonly<Record<string, string>>)[kind] ?? new Query(url).text(kind);
  if (name !== undefined) return name;
  throw refuseField('bad_request', kind, `${kind} is missing: add it to the query, as in ?${kind}=….`);
}
