import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import accepts from '@fastify/accepts';
import { FanfareError } from '@fanfare/protocol';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { hostProblem } from '../access/allowed-host.ts';
import type { Access } from '../access/access.ts';
import type { Revocations } from '../access/revocations.ts';
import type { ClientAddresses } from '../access/client-address.ts';
import { crossOriginHeaders, preflightHeaders } from '../access/cross-origin.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import type { NodeInside } from '../insides/node-inside.ts';
import type { Logger } from '../observability/logger.ts';
import type { ProcessHealth } from '../observability/process-health.ts';
import { adminRoutes } from './admin.ts';
import { holdPipelinedReads } from './pipelining.ts';
import { limitResponses, type ResponseLimits } from './response-limits.ts';
import { closeLingering } from './lingering-close.ts';
import { consoleRoutes } from './console.ts';
import type { EventStreams } from './event-streams.ts';
import { messageRoute } from './messages.ts';
import { refuseRequest, sendProblem, toRefusal } from './problem.ts';
import { publishRoute } from './publish.ts';
import { useOriginForm } from './request-target.ts';
import { revocationRoute } from './revocations.ts';
import { askForToken, confirmToken } from './sign-in.ts';
import { topicRoutes } from './topics.ts';

export interface HttpOptions extends ResponseLimits {
  readonly path: MessagePath;
  readonly streams: EventStreams;
  readonly access: Access;
  readonly revocations: Revocations;
  readonly addresses: ClientAddresses;
  readonly health: ProcessHealth;
  readonly node: NodeInside;
  readonly publishBytesMax: number;
  readonly batchBytesMax: number;
  readonly batchMessagesMax: number;
  /** How long a request may take to arrive whole. */
  readonly requestTimeoutMs: number;
  /** Undefined lets a request in; a text refuses it and says why. */
  readonly refuse: (request: IncomingMessage) => string | undefined;
  /** Whether the server is to end soon; the answer to what came last over a connection is then its last. */
  readonly isDraining: () => boolean;
  readonly logger: Logger;
  /** Of the web pages that may ask, beside the server's own. */
  readonly origins: readonly string[];
}

/** Enough for every topic that is percent-encoded, and for most that are too long: those are told so. */
const paramLengthMax = 16_384;

const continues = /^100-continue$/i;

/** The methods of each path, for the answer to any other. */
const methods: readonly (readonly [path: RegExp, allowed: string])[] = [
  [/^\/publish$/, 'POST'],
  [/^\/revocations(?:\/[^/]*)?$/, 'PUT'],
  [/^\/(?:topic|topics\/[^/]*)$/, 'GET, HEAD, PUT, DELETE'],
  [/^\/(?:identity|stats|connections|messages|subscribers)$/, 'GET, HEAD'],
  [/^\/connections\/[^/]*$/, 'GET, HEAD, DELETE'],
  [
    /^(?:\/|\/fanfare\.js|\/topics|\/topics\/[^/]*\/(?:messages|subscribers)|\/console\/console\.(?:js|css))$/,
    'GET, HEAD',
  ],
];

/** Builds the HTTP side: its routes, its limits, and its answers to what is no request of ours. */
export function buildHttpServer(options: HttpOptions): FastifyInstance {
  const { requestTimeoutMs, refuse, isDraining, node, origins } = options;
  const refusalOf = (request: IncomingMessage): FanfareError | undefined => {
    const malformed = malformedHead(request);
    const reason = malformed ? undefined : refuse(request);
    return reason === undefined ? malformed : new FanfareError('not_authorized', reason);
  };
  const app = fastify({
    routerOptions: { maxParamLength: paramLengthMax },
    rewriteUrl: useOriginForm,
    requestTimeout: requestTimeoutMs,
    // Node looks for requests that take too long only this often.
    http: {
      headersTimeout: Math.min(fixedLimits.headersTimeoutMs.value, requestTimeoutMs),
      maxHeaderSize: fixedLimits.headerBytesMax.value,
      connectionsCheckingInterval: 1_000,
      // Node's own answer to those would take no turns.
      requireHostHeader: false,
    },
    forceCloseConnections: 'idle',
    // While closing, a publish is refused as everywhere, not by Fastify.
    return503OnClosing: false,
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) =>
      refuseRequest(error, socket, node.order, origins),
    // No hook is run for these.
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
  /** The id of the last request of each connection. The request itself would stay in memory with an idle connection. */
  const latest = new WeakMap<Socket, string>();
  // With callbacks: promises in the hooks cost more than all else that they do.
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
    // What of a request is still to come once it is answered would be read for nothing.
    if (isLast || isStillArriving(request.raw)) {
      void reply.header('connection', 'close');
      closeLingering(request.raw.socket);
    }
    done();
  });
  void app.register(accepts);
  // Behind the first hook: a preflight has no token.
  void app.register(async (guarded) => {
    guarded.addHook('onRequest', askForToken(options.access));
    guarded.addHook('preHandler', confirmToken(options.access));
    void guarded.register(publishRoute, options);
    void guarded.register(topicRoutes, { topics: options.path.topics });
    void guarded.register(messageRoute, options);
    void guarded.register(adminRoutes, options);
    if (!options.access.isOpen) void guarded.register(revocationRoute, options);
  });
  void app.register(consoleRoutes);
  return app;
}

function refuseUnknown(request: FastifyRequest, reply: FastifyReply): never {
  const path = request.url.split('?', 1)[0] ?? '';
  const [, allowed] = methods.find(([pattern]) => pattern.test(path)) ?? [];
  // Nobody can be revoked where there are no tokens.
  if (allowed === undefined || allowed.split(', ').includes(request.method))
    throw new FanfareError('not_found', `There is nothing at ${path}.${hintFor(path)}`);
  void reply.header('allow', allowed);
  throw new FanfareError('method_not_allowed', `${path} takes ${allowed}.`);
}

/** A proxy may have decoded the `%2F` of a topic. */
function hintFor(path: string): string {
  return path.startsWith('/topics/')
    ? ' A topic with a slash is named in the query: /topic?topic=orders/7, /messages?topic=orders/7.'
    : '';
}

function isStillArriving({ complete, headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody && !complete;
}

/** What HTTP has a server refuse a request's head for: RFC 9112, 3.2, and RFC 9110, 10.1.1. */
function malformedHead(request: IncomingMessage): FanfareError | undefined {
  const { expect } = request.headers;
  const problem = hostProblem(request);
  if (problem !== undefined) return new FanfareError('bad_request', problem);
  if (expect === undefined || continues.test(expect)) return undefined;
  return new FanfareError('bad_request', 'The only Expect is 100-continue.', { status: 417 });
}
