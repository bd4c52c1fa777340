import type { IncomingHttpHeaders } from 'node:http';

/** The token of `Authorization: Bearer`. */
export function bearerOf({ authorization }: IncomingHttpHeaders): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
}
