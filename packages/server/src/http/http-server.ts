import type { IncomingMessage, Server, ServerOptions as HttpServerOptions } from 'node:http';
import type { ServerOptions as HttpsServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import accepts from '@fastify/accepts';
import { FanfareError } from '@fanfare/protocol';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { hostProblem } from '../access/host-header.ts';
import type { Access } from '../access/access.ts';
import type { Refuse } from '../access/reachability.ts';
import type { Revocations } from '../access/revocations.ts';
import type { ClientAddresses } from '../access/client-address.ts';
import { crossOriginHeaders, preflightHeaders } from '../access/cross-origin.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import type { NodeInside } from '../insides/node-inside.ts';
import type { RequestLogger } from '../observability/unexpected-failure.ts';
import type { MetricsText } from '../metrics/exposition.ts';
import type { Checks } from '../observability/readiness.ts';
import type { Certificate } from './certificate.ts';
import { apiRoutes } from './api-routes.ts';
import { adminRoutes } from './operator-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { holdPipelinedReads } from './pipelining.ts';
import { limitResponses, type ResponseLimits } from './response-limits.ts';
import { closeLingering } from './lingering-close.ts';
import { clientScripts, isClientScript } from './client-scripts.ts';
import { consoleRoutes } from './console-routes.ts';
import type { EventStreams } from './event-streams.ts';
import { hasBody } from '../access/has-body.ts';
import type { BodyLimits } from './body.ts';
import { messageRoute } from './message-routes.ts';
import { refuseRequest, sendProblem, toRefusal } from './problem.ts';
import { publishRoute } from './publish-route.ts';
import type { ReloadRouteOptions } from './reload-route.ts';
import { useOriginForm } from './request-target.ts';
import { revocationRoute } from './revocation-route.ts';
import { findRights, confirmToken } from './sign-in.ts';
import { topicRoutes } from './topic-routes.ts';

export interface HttpOptions extends ResponseLimits {
  readonly path: MessagePath;
  readonly streams: EventStreams;
  readonly access: Access;
  readonly revocations: Revocations;
  readonly addresses: ClientAddresses;
  readonly node: NodeInside;
  /** The limits now: a reload can change them. */
  readonly limits: ResponseLimits['limits'] & BodyLimits & RequestTimes;
  readonly refuse: Refuse;
  /**
   * Whether the server is stopping. Then the response to the latest request of a connection is the last one.
   */
  readonly isDraining: () => boolean;
  readonly checks: Checks;
  readonly metrics: MetricsText;
  readonly logger: RequestLogger;
  /** Reads the settings again, if there is something to read them from. */
  readonly reload: ReloadRouteOptions['reload'];
  /** The origins of web pages that may send requests, in addition to the server's own. */
  readonly origins: readonly string[];
  /** With it, the server serves only TLS. */
  readonly certificate: Certificate | undefined;
}

/**
 * Enough for every percent-encoded topic. Most topics that are too long fit too, so that they are refused
 * with a reason.
 */
const paramLengthMax = 16_384;

const continues = /^100-continue$/i;

/** The methods of each path, for the response to other methods. */
const methods: readonly (readonly [path: RegExp, allowed: string])[] = [
  [/^\/(?:publish|reload)$/, 'POST'],
  [/^\/revocations(?:\/[^/]*)?$/, 'PUT'],
  [/^\/(?:topic|topics\/[^/]*)$/, 'GET, HEAD, PUT, DELETE'],
  [/^\/(?:identity|stats|connections|messages|subscribers|metrics|healthz|readyz)$/, 'GET, HEAD'],
  [/^\/(?:openapi\.json|asyncapi\.json|reference)$/, 'GET, HEAD'],
  [/^\/connections\/[^/]*$/, 'GET, HEAD, DELETE'],
  [
    /^(?:\/|\/fanfare\.js|\/topics|\/topics\/[^/]*\/(?:messages|subscribers)|\/console\/console\.(?:js|css))$/,
    'GET, HEAD',
  ],
];

/** Builds the HTTP server: its routes, its limits, and its responses to unknown requests. */
export function buildHttpServer(options: HttpOptions): FastifyInstance {
  const { limits, refuse, isDraining, node, origins } = options;
  const refusalOf = (request: IncomingMessage): FanfareError | undefined => {
    const malformed = malformedHead(request);
    const reason = malformed ? undefined : refuse(request);
    return reason === undefined ? malformed : new FanfareError('not_authorized', reason);
  };
  const app = fastify({
    routerOptions: { maxParamLength: paramLengthMax },
    rewriteUrl: useOriginForm,
    requestTimeout: limits.requestTimeoutMs,
    ...listenerOptions(options),
    forceCloseConnections: 'idle',
    // While closing, the message path refuses a publish, as over Socket.IO, and not Fastify.
    return503OnClosing: false,
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) =>
      refuseRequest(error, socket, options),
    // No hooks run for these errors.
    frameworkErrors: (error, request, reply) => {
      void reply.headers(crossOriginHeaders(request.raw, origins));
      void sendProblem(reply, refusalOf(request.raw) ?? toRefusal(error, options));
    },
  });
  app.removeAllContentTypeParsers();
  app.decorateRequest('rights');
  app.decorateRequest('address', {
    getter() {
      return options.addresses.of(this.raw);
    },
  });
  app.setErrorHandler((error, _request, reply) => void sendProblem(reply, toRefusal(error, options)));
  app.setNotFoundHandler(refuseUnknown);
  /**
   * The id of the latest request of each connection. The request itself would stay in memory with an idle
   * connection.
   */
  const latest = new WeakMap<Socket, string>();
  // Hooks with callbacks: promises would cost more than everything else in the hooks.
  app.addHook('onRequest', (request, reply, done) => {
    latest.set(request.raw.socket, request.id);
    void reply.headers(crossOriginHeaders(request.raw, origins));
    const refusal = refusalOf(request.raw);
    if (refusal) return done(refusal);
    const preflight = preflightHeaders(request.raw, origins);
    if (preflight) void reply.code(204).headers(preflight).send();
    else done();
  });
  app.addHook('onRequest', holdPipelinedReads(node.order));
  app.addHook('onSend', limitResponses(options));
  app.addHook('onSend', (request, reply, _payload, done) => {
    const isLast = isDraining() && latest.get(request.raw.socket) === request.id;
    // The connection of a request that has arrived in part is closed: the rest would only be read to be
    // discarded.
    if (isLast || isStillArriving(request.raw)) {
      void reply.header('connection', 'close');
      closeLingering(request.raw.socket);
    }
    done();
  });
  void app.register(accepts);
  // After the first hook: a preflight has no token.
  void app.register(async (guarded) => {
    guarded.addHook('onRequest', findRights(options.access));
    guarded.addHook('preHandler', confirmToken(options.access));
    void guarded.register(publishRoute, options);
    void guarded.register(topicRoutes, { topics: options.path.topics });
    void guarded.register(messageRoute, options);
    void guarded.register(adminRoutes, options);
    if (!options.access.isOpen) void guarded.register(revocationRoute, options);
  });
  void app.register(consoleRoutes);
  void app.register(clientScripts);
  void app.register(apiRoutes);
  void app.register(healthRoutes, options);
  return app;
}

/** The options of Node's HTTP or HTTPS server. */
function listenerOptions({ certificate, limits }: HttpOptions): {
  readonly http?: HttpServerOptions;
  readonly https?: HttpsServerOptions;
} {
  const headersTimeout = headersTimeoutOf(limits);
  const http = {
    headersTimeout,
    maxHeaderSize: fixedLimits.headerBytesMax.value,
    // The interval in which Node checks for requests that take too long.
    connectionsCheckingInterval: 1_000,
    // Node would respond by itself, outside the turns of the requests.
    requireHostHeader: false,
  };
  return certificate
    ? { https: { ...http, ...certificate.pair, handshakeTimeout: headersTimeout } }
    : { http };
}

interface RequestTimes {
  /** How long a whole request can take to arrive. */
  readonly requestTimeoutMs: number;
}

function headersTimeoutOf({ requestTimeoutMs }: RequestTimes): number {
  return Math.min(fixedLimits.headersTimeoutMs.value, requestTimeoutMs);
}

/** Applies a changed time to a server. Node reads both each time when it looks for late requests. */
export function applyRequestTimes(server: Server, times: RequestTimes): void {
  server.requestTimeout = times.requestTimeoutMs;
  server.headersTimeout = headersTimeoutOf(times);
}

function methodsOf(path: string): string | undefined {
  if (isClientScript({ url: path })) return 'GET, HEAD';
  return methods.find(([pattern]) => pattern.test(path))?.[1];
}

function refuseUnknown(request: FastifyRequest, reply: FastifyReply): never {
  const path = request.url.split('?', 1)[0] ?? '';
  const allowed = methodsOf(path);
  // An open server has no route for revocations.
  if (allowed === undefined || allowed.split(', ').includes(request.method))
    throw new FanfareError('not_found', `There is nothing at ${path}.${hintFor(path)}`);
  void reply.header('allow', allowed);
  throw new FanfareError('method_not_allowed', `${path} accepts only ${allowed}.`);
}

/** A proxy may have decoded the `%2F` of a topic. */
function hintFor(path: string): string {
  return path.startsWith('/topics/')
    ? ' Put a topic with a slash into the query: /topic?topic=orders/7, /messages?topic=orders/7.'
    : '';
}

function isStillArriving(request: IncomingMessage): boolean {
  return hasBody(request) && !request.complete;
}

/**
 * The errors in a request's head that HTTP requires a server to refuse: RFC 9112, 3.2, and RFC 9110, 10.1.1.
 */
function malformedHead(request: IncomingMessage): FanfareError | undefined {
  const { expect } = request.headers;
  const problem = hostProblem(request);
  if (problem !== undefined) return new FanfareError('bad_request', problem);
  if (expect === undefined || continues.test(expect)) return undefined;
  return new FanfareError('bad_request', 'Unknown `Expect`: the server supports only `100-continue`.', {
    status: 417,
  });
}
