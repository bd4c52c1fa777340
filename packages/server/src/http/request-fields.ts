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

const keyHeader = 'Idempotency-Key';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The id of a publish, as the header `Idempotency-Key` gives it: the same text as that of a body.
 *
 * @throws FanfareError `bad_request` when the header is there twice, or is not UTF-8
 */
export function idOf({ headers, raw }: FastifyRequest): string | undefined {
  const header = headers['idempotency-key'];
  if (typeof header !== 'string') return undefined;
  // Node joins those that are there twice.
  const values = raw.headersDistinct['idempotency-key'];
  if (values && values.length > 1)
    throw refuseField('bad_request', keyHeader, `The header ${keyHeader} must not be there more than once.`);
  try {
    // Node reads every byte of a header as a character.
    return utf8.decode(Buffer.from(header, 'latin1'));
  } catch {
    throw refuseField('bad_request', keyHeader, `The header ${keyHeader} must be UTF-8.`);
  }
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
