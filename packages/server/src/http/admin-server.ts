import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { FanfareError, type Stats } from '@fanfare/protocol';
import { isForeignPage, ownHeaders } from '../access/cross-origin.ts';
import { isAllowedHost } from '../access/host-header.ts';
import { isLoopback } from '../access/loopback.ts';
import { isProbe } from '../access/reachability.ts';
import type { MetricsText } from '../metrics/exposition.ts';
import type { HostPort } from '../nodes/host-port.ts';
import type { Checks } from '../observability/readiness.ts';
import type { RequestLogger } from '../observability/unexpected-failure.ts';
import { healthResponse, readinessResponse } from './health-routes.ts';
import { metricsResponse } from './metrics-route.ts';
import { problemResponse, toRefusal, type RouteResponse } from './problem.ts';
import { urlOf } from './server-url.ts';

export interface AdminServerOptions {
  readonly checks: Checks;
  readonly metrics: MetricsText;
  readonly stats: () => Promise<Stats>;
  readonly logger: RequestLogger;
}

/** Operators have few connections. More would be a mistake, or an attack. */
const connectionsMax = 100;

const requestTimeoutMs = 10_000;

const methods = 'GET, HEAD';

type Answer = (request: IncomingMessage) => RouteResponse | Promise<RouteResponse>;

/**
 * The address for operators: health, metrics and figures, without a token. It stays open until everything
 * else is closed, so that a load balancer and Prometheus can watch the stop.
 */
export class AdminServer {
  readonly #server: Server;
  readonly #answers: ReadonlyMap<string, Answer>;
  readonly #logger: RequestLogger;

  constructor({ checks, metrics, stats, logger }: AdminServerOptions) {
    this.#logger = logger;
    this.#answers = new Map<string, Answer>([
      ['/healthz', healthResponse],
      ['/readyz', () => readinessResponse(checks)],
      ['/metrics', ({ headers }) => metricsResponse(metrics, headers.accept)],
      ['/stats', async () => statsResponse(await stats())],
    ]);
    this.#server = createServer(
      {
        requestTimeout: requestTimeoutMs,
        headersTimeout: requestTimeoutMs,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => void this.#handle(request, response),
    );
    this.#server.maxConnections = connectionsMax;
  }

  /**
   * @returns the URL
   * @throws Error that names the setting
   */
  async listen({ host, port }: HostPort): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      const refuse = ({ code = '' }: NodeJS.ErrnoException): void =>
        reject(
          new Error(`cannot listen on ${host}, port ${port} (${code}). Change adminListen (--admin-listen).`),
        );
      this.#server.once('error', refuse).listen(port, host, () => {
        this.#server.off('error', refuse);
        resolve();
      });
    });
    return urlOf(this.#server);
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: RouteResponse;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      const refusal = toRefusal(error, { limits: { publishBytesMax: 0 }, logger: this.#logger });
      answer = problemResponse(refusal);
      if (refusal.code === 'method_not_allowed') response.setHeader('allow', methods);
    }
    const { status, type, body, headers } = answer;
    const length = { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    response.writeHead(status, { ...ownHeaders, ...headers, ...length });
    response.end(body);
  }

  #answer(request: IncomingMessage): RouteResponse | Promise<RouteResponse> {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const answer = this.#answers.get(path);
    if (!answer) {
      const paths = [...this.#answers.keys()].join(', ');
      throw new FanfareError('not_found', `There is nothing at ${path}. This address has ${paths}.`);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new FanfareError('method_not_allowed', `${path} accepts only ${methods}.`);
    const reason = refusalOf(request);
    if (reason !== undefined) throw new FanfareError('not_authorized', reason);
    return answer(request);
  }
}

/** A page of another site could read what this machine alone should see, by a name that leads here. */
function refusalOf(request: IncomingMessage): string | undefined {
  if (isForeignPage(request, [])) return 'Web pages of other origins are refused.';
  const { localAddress } = request.socket;
  if (isProbe(request) || localAddress === undefined || !isLoopback(localAddress)) return undefined;
  if (isAllowedHost(request.headers.host, [])) return undefined;
  return 'On a loopback address, the `Host` must be an IP address, `localhost` or a name without dots.';
}

function statsResponse(stats: Stats): RouteResponse {
  const headers = { 'cache-control': 'no-store' };
  return { status: 200, type: 'application/json; charset=utf-8', body: JSON.stringify(stats), headers };
}
