import { readEnvelope, type Envelope, type From } from './envelope.ts';
import { errorFrom, FanfareError, fieldsOf, textOf } from './errors.ts';
import type { ServerAddress, SocketOptions } from './server-address.ts';
import type { Token } from './token.ts';

/**
 * Options of {@link Fanfare.history}.
 *
 * @example
 * const lastTen: HistoryOptions = { from: { last: 10 } };
 * for await (const { message } of fanfare.history('orders/7', lastTen)) console.log(message);
 */
export interface HistoryOptions {
  /** The start. Default: the earliest stored message. */
  readonly from?: From;
  /** Maximum number of messages. Default: no limit. */
  readonly limit?: number;
}

/** Maximum number of messages in a page of the server. */
const pageMessagesMax = 1_000;

/** Reads stored messages page by page. It fetches a page only when the application needs it. */
export async function* readHistory(
  { origin, path }: ServerAddress,
  options: SocketOptions,
  token: Token,
  topic: string,
  { from, limit = Infinity }: HistoryOptions,
): AsyncGenerator<Envelope, void, undefined> {
  let start = queryOf(from);
  for (let left = limit; left > 0;) {
    const query = new URLSearchParams({
      ...options.query,
      topic,
      ...start,
      limit: String(Math.min(left, pageMessagesMax)),
    });
    const url = `${origin}${path}/messages?${query.toString()}`;
    const { messages, next, more } = fieldsOf(await getJson(url, options, token));
    for (const message of Array.isArray(messages) ? messages : []) {
      const envelope = readEnvelope(message);
      if (envelope) yield envelope;
      left--;
    }
    if (more !== true) return;
    start = { from: textOf(next) ?? '' };
  }
}

function queryOf(from: From | undefined): Readonly<Record<string, string>> {
  if (from === undefined) return {};
  if (typeof from === 'string') return { from };
  return 'last' in from ? { last: String(from.last) } : { time: String(from.time) };
}

async function getJson(
  url: string,
  { extraHeaders, withCredentials = false }: SocketOptions,
  token: Token,
): Promise<unknown> {
  const bearer = await token.current();
  const headers = new Headers(extraHeaders);
  headers.set('accept', 'application/json');
  if (bearer !== undefined) headers.set('authorization', `Bearer ${bearer}`);
  let response: Response;
  try {
    response = await fetch(url, { headers, ...(withCredentials && { credentials: 'include' }) });
  } catch (cause) {
    throw new FanfareError('unreachable', 'The server cannot be reached.', true, { cause });
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body;
  if (textOf(fieldsOf(body)['code']) !== undefined) throw errorFrom(body);
  const detail =
    `The server responded with status ${response.status}, not like Fanfare. ` +
    "On an app's server, history needs attach(httpServer, { http: 'topics' }).";
  throw new FanfareError('unreachable', detail, true);
}
