import { lookup as lookUp } from 'node:dns';
import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { version } from '../version.ts';

/** How long a receiver can take for a whole response. */
const responseMs = 15_000;

/** How long an unused connection stays open. Firewalls forget silent ones without a word. */
const idleMs = 30_000;

/** A response has no meaning beside its status. Beyond this size its connection is closed. */
const responseBytesMax = 65_536;

/** A longer wait would look like a webhook that does not work. */
const retryAfterMsMax = 3_600_000;

/** The response of a receiver. */
export interface Answer {
  readonly status: number;
  /** How long the receiver wants to get no requests. */
  readonly retryAfterMs: number | undefined;
}

/** The failure of a request, in words that quote nothing of the URL's path and of the secret. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
}

/** Posts to the URL of a webhook. It does not follow redirects. */
export class Receiver {
  readonly #url: URL;
  readonly #mayConnect: (address: string) => boolean;
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;
  readonly #timeoutMs: number;
  readonly #open = new Set<ClientRequest>();

  /** @param mayConnect - whether the webhook may connect to an address */
  constructor(url: URL, mayConnect: (address: string) => boolean, timeoutMs: number = responseMs) {
    this.#timeoutMs = timeoutMs;
    this.#url = url;
    this.#mayConnect = mayConnect;
    const isEncrypted = url.protocol === 'https:';
    this.#agent = new (isEncrypted ? HttpsAgent : HttpAgent)({ keepAlive: true, timeout: idleMs });
    this.#request = isEncrypted ? httpsRequest : httpRequest;
  }

  /**
   * Posts a body once. Resolves after the response, whatever its status is.
   *
   * @throws DeliveryError if there is no response
   */
  async post(headers: Readonly<Record<string, string>>, body: Buffer): Promise<Answer> {
    // Node does not look up an address, so `#lookup` does not see it.
    const host = this.#url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) > 0 && !this.#mayConnect(host)) throw refusedAddress();
    const request = this.#request(this.#url, {
      method: 'POST',
      agent: this.#agent,
      lookup: this.#lookup,
      headers: {
        'content-type': 'application/json',
        'content-length': body.length,
        'user-agent': `fanfare/${version}`,
        ...headers,
      },
    });
    this.#open.add(request);
    return exchange(request, body, this.#timeoutMs).finally(() => this.#open.delete(request));
  }

  /** Aborts all requests. */
  close(): void {
    for (const request of this.#open) request.destroy();
    this.#agent.destroy();
  }

  /** Checks the addresses that the connection is made to, and not those of an earlier lookup. */
  readonly #lookup: LookupFunction = (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const allowed = addresses.filter(({ address }) => this.#mayConnect(address));
      const [first] = allowed;
      if (!first) return callback(refusedAddress(), '');
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** Sends a body, and waits for the response. After its head, the response cannot fail any more. */
async function exchange(request: ClientRequest, body: Buffer, timeoutMs: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Answer>((resolve, reject) => {
      let settle = (reason: string): void => reject(new DeliveryError(reason));
      const end = (reason: string): void => {
        settle(reason);
        request.destroy();
      };
      timer = setTimeout(() => end(`no response within ${timeoutMs / 1_000} seconds`), timeoutMs);
      request.on('error', (error: NodeJS.ErrnoException) =>
        error instanceof DeliveryError ? reject(error) : settle(error.code ?? 'the request failed'),
      );
      request.on('close', () => settle('the connection was closed without a response'));
      request.on('response', (response) => {
        const { statusCode: status = 0, headers } = response;
        const answer = { status, retryAfterMs: parseRetryAfter(headers['retry-after']) };
        settle = () => resolve(answer);
        discard(response, end);
      });
      request.end(body);
    });
  } finally {
    clearTimeout(timer);
  }
}

function discard(response: IncomingMessage, end: (reason: string) => void): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > responseBytesMax) end('');
  });
  // `close` follows both, and settles the exchange.
  response.on('error', () => {});
}

function refusedAddress(): DeliveryError {
  return new DeliveryError('its address is not public, or not in webhookNetworks');
}

/** Reads the header `Retry-After`: seconds, or a date. */
function parseRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), retryAfterMsMax);
}
