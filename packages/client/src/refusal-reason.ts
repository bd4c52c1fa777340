import { FanfareError, fieldsOf, textOf } from './errors.ts';

const timeoutMs = 5_000;

/**
 * Asks over HTTP why a server refuses a connection, because a WebSocket gets no reason. Undefined if the
 * server gives none, or does not respond.
 *
 * @param url - the URL of Socket.IO on the server
 * @param headers - the headers of the connection
 */
export async function fetchRefusalReason(
  url: URL,
  headers: Readonly<Record<string, string>> = {},
): Promise<FanfareError | undefined> {
  // No session has this id, so the request opens none.
  const question = `${url.href}?EIO=4&transport=polling&sid=why`;
  try {
    const response = await fetch(question, { headers, signal: AbortSignal.timeout(timeoutMs) });
    if (response.status !== 403) return undefined;
    const message = textOf(fieldsOf(await response.json())['message']);
    return message === undefined ? undefined : refused(message);
  } catch {
    return (await isUnreadable(url)) ? refused(unnamed(url)) : undefined;
  }
}

/**
 * Whether this is a web page whose origin the server does not allow: the server responds, but the page cannot
 * read it.
 */
async function isUnreadable(url: URL): Promise<boolean> {
  const page = pageOrigin();
  if (page === undefined || page === url.origin) return false;
  try {
    // Every page may load this script. The browser only tells the page whether the server responded.
    const script = new URL('../fanfare.js', url);
    await fetch(script, { method: 'HEAD', mode: 'no-cors', signal: AbortSignal.timeout(timeoutMs) });
    return true;
  } catch {
    return false;
  }
}

function unnamed({ origin }: URL): string {
  return `The server ${origin} refuses pages from ${pageOrigin()}. Add this origin to its setting \`origins\`.`;
}

/** The origin of the page; undefined outside of a browser. */
function pageOrigin(): string | undefined {
  return textOf(fieldsOf(fieldsOf(globalThis)['location'])['origin']);
}

/** The error is retryable, because the operator may allow the origin later. */
function refused(detail: string): FanfareError {
  return new FanfareError('not_authorized', detail, true);
}
