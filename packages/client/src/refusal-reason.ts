import { FanfareError, fieldsOf, textOf } from './errors.ts';

const timeoutMs = 5_000;

/**
 * Asks over HTTP why a server refuses a connection, which a WebSocket is not told. Undefined when it does not say, or does not answer.
 *
 * @param url - of Socket.IO on the server
 * @param headers - that the connection is asked for with
 */
export async function fetchRefusalReason(
  url: URL,
  headers: Readonly<Record<string, string>> = {},
): Promise<FanfareError | undefined> {
  // No session has this name, so that none is opened.
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

/** Whether this is a web page that the server answers, and that may not read the answer: its origin is not named there. */
async function isUnreadable(url: URL): Promise<boolean> {
  const page = pageOrigin();
  if (page === undefined || page === url.origin) return false;
  try {
    // Every page may load it. A browser lets a page know that there was an answer, and no more.
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

/** Undefined outside of a browser. */
function pageOrigin(): string | undefined {
  return textOf(fieldsOf(fieldsOf(globalThis)['location'])['origin']);
}

/** An operator may allow it meanwhile. */
function refused(detail: string): FanfareError {
  return new FanfareError('not_authorized', detail, true);
}
