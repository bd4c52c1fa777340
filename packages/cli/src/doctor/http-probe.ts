import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createUnzip } from 'node:zlib';
import type { Target } from '../server-target.ts';
import { tlsOptionsOf } from './tls-options.ts';
import { withoutTokens } from './without-tokens.ts';

/** How long a server can take to respond. */
export const answerMs = 5_000;

/** The response to a probe: also to a request that the server has not answered to its end. */
export interface ProbeAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The values of a header, one for each line that the server sent. */
  valuesOf(header: string): readonly string[];
  readonly body: string;
  readonly elapsedMs: number;
  /** When it came, by our clock. */
  readonly receivedAt: number;
}

export interface Probe {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether the body so far is enough. The connection is then closed. */
  readonly isEnough?: (body: string) => boolean;
  readonly timeoutMs?: number;
}

const bodyCharactersMax = 65_536;

/**
 * Sends a request on a connection of its own. Rejects with Node's error, or with a `TimeoutError` if no
 * response begins in time.
 */
export function probe(target: Target, url: string, options: Probe = {}): Promise<ProbeAnswer> {
  const { method = 'GET', headers = {}, body, isEnough = () => false, timeoutMs = answerMs } = options;
  const startedMs = performance.now();
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    // A new connection each time, because a load balancer can choose another server for it.
    const sent = send(url, { method, headers: { ...headers }, agent: false, ...tlsOptionsOf(target) });
    let giveUp = (): void => reject(new DOMException('No response', 'TimeoutError'));
    const timer = setTimeout(() => {
      giveUp();
      sent.destroy();
    }, timeoutMs);
    sent.on('close', () => clearTimeout(timer));
    sent.on('error', reject);
    sent.on('response', (response) => {
      const encoded = response.headers['content-encoding'];
      const text = encoded === 'gzip' || encoded === 'deflate' ? response.pipe(createUnzip()) : response;
      let got = '';
      const end = (): void => {
        // Before a part of it is shown, which could end within a token.
        resolve(answerOf(response, withoutTokens(got, target.token), performance.now() - startedMs));
        sent.destroy();
      };
      giveUp = end;
      text.setEncoding('utf8');
      text.on('data', (piece: string) => {
        got += piece;
        if (isEnough(got) || got.length > bodyCharactersMax) end();
      });
      text.on('end', end);
      // A response that was cut.
      text.on('error', end);
      response.on('error', end);
    });
    sent.end(body);
  });
}

function answerOf(response: IncomingMessage, body: string, elapsedMs: number): ProbeAnswer {
  const { statusCode: status = 0, headers, rawHeaders } = response;
  const valuesOf = (header: string): readonly string[] =>
    rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === header);
  return { status, headers, valuesOf, body, elapsedMs, receivedAt: Date.now() };
}

/** `HTTP 400: {"code":1,"message":"Session ID unknown"}` */
export function seen({ status, headers, body }: Pick<ProbeAnswer, 'status' | 'headers' | 'body'>): string {
  const text = (detailIn(body) ?? body).replace(/\s+/g, ' ').trim();
  const isPage = (headers['content-type'] ?? '').startsWith('text/html') || text.startsWith('<');
  const title = /<title>(.*?)<\/title>/i.exec(text)?.[1];
  const shown = isPage ? `the page '${title ?? 'without a title'}'` : text.slice(0, 200);
  return `HTTP ${status}${shown === '' ? '' : `: ${shown}`}`;
}

/** The sentence in an error of RFC 9457, which Fanfare sends. */
function detailIn(body: string): string | undefined {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return typeof detail === 'string' ? detail : undefined;
  } catch {
    return undefined;
  }
}

/** The path and query of a URL, without what differs each time. */
export function requestLine(url: string, method = 'GET'): string {
  const { pathname, search } = new URL(url);
  return `${method} ${pathname}${search.replace(/&?sid=[^&]*/, '&sid=…')}`;
}
