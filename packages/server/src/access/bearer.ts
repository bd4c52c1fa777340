import type { IncomingHttpHeaders } from 'node:http';

/** The token in the header `Authorization: Bearer`. */
export function bearerOf({ authorization }: IncomingHttpHeaders): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
}
