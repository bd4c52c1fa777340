import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FanfareError, PublishResult } from '@fanfare/protocol';
import type { Access } from '../access/access.ts';
import { bearerOf } from '../access/bearer.ts';
import type { ClientAddresses } from '../access/client-address.ts';
import { ownHeaders } from '../access/cross-origin.ts';
import { hostProblem } from '../access/host-header.ts';
import type { Refuse } from '../access/reachability.ts';
import type { Rights } from '../access/rights.ts';
import type { NodeInside } from '../insides/node-inside.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import type { RequestLogger } from '../observability/unexpected-failure.ts';
import { decodeUtf8, kindOf } from './body.ts';
import { closeLingering } from './lingering-close.ts';
import { toRefusal, type RouteResponse } from './problem.ts';
import { jsonType, publishResponse, textType } from './publish-response.ts';
import { idOf } from './request-fields.ts';
import { throwLater } from './request-reader.ts';
import { endWhenStalled } from './response-limits.ts';

export interface PublishHandlerOptions {
  readonly path: Pick<MessagePath, 'publishTo'>;
  readonly access: Access;
  readonly addresses: ClientAddresses;
  readonly node: Pick<NodeInside, 'order' | 'textSender'>;
  /** The limits now: a reload can change them. */
  readonly limits: { readonly publishBytesMax: number; readonly stallTimeoutMs: number };
  readonly refuse: Refuse;
  readonly isDraining: () => boolean;
  readonly logger: RequestLogger;
  /** Fastify, which answers all other requests. */
  readonly otherwise: RequestListener;
}

/** @returns whether the request is answered; if not, nothing has happened to it */
export type PublishHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A body of this size usually arrives in one read, and takes nothing from the budget for bodies. */
const bodyBytesMax = 65_536;

/** The usual values of `Accept`, and whether they ask for JSON. The last one is that of axios. */
const asksForJson: ReadonlyMap<string | undefined, boolean> = new Map([
  [undefined, false],
  ['*/*', false],
  ['application/json', true],
  ['application/json, text/plain, */*', true],
]);

const headersOfAll: readonly string[] = Object.entries(ownHeaders).flat();

/**
 * Answers the usual `POST /publish` without Fastify, which would take a fifth of the time of a publish
 * (decision 31). The responses are the same, byte for byte. Every request that is unusual in any way goes to
 * Fastify, also a request that would be refused for its head.
 */
export function publishHandler(options: PublishHandlerOptions): PublishHandler {
  const { path, access, addresses, limits, refuse, isDraining, otherwise } = options;
  const { order, textSender } = options.node;
  const senders = new Map(
    [jsonType, textType].map((type) => [type, textSender([...headersOfAll, 'content-type', type])]),
  );
  /** The responses after which others are due on their connections. */
  const followed = new WeakSet<ServerResponse>();

  function handle(request: IncomingMessage, response: ServerResponse): boolean {
    // A request that an app has made up has no connection.
    if (!(request.socket as Socket | undefined)) return false;
    if (order.isWaiting(response)) {
      const current = order.current(request.socket);
      if (current) followed.add(current);
      // It could overtake an earlier publish that Fastify handles.
      return false;
    }
    if (!isUsual(request, Math.min(bodyBytesMax, limits.publishBytesMax)) || isDraining()) return false;
    if (hostProblem(request) !== undefined || refuse(request) !== undefined) return false;
    const rights = access.known(bearerOf(request.headers));
    if (!rights) return false;
    // Then Node has parsed everything that came with the head.
    process.nextTick(publish, request, response, rights);
    return true;
  }

  function publish(request: IncomingMessage, response: ServerResponse, rights: Rights): void {
    const json = textOf(request);
    if (json === undefined) return otherwise(request, response);
    const { headers, socket } = request;
    const isJson = asksForJson.get(headers.accept) === true;
    const onResult = (result: PublishResult | FanfareError): void =>
      throwLater(() => answer(response, result, isJson));
    const onFailure = (error: unknown): void => onResult(toRefusal(error, options));
    try {
      access.confirm(rights);
      const input = { json, headerId: idOf({ headers, raw: request }) };
      const { subject } = rights.identity;
      const source = { connection: socket, subject, address: addresses.of(request) };
      path.publishTo({ onResult, onFailure }, rights, input, source);
    } catch (error) {
      onFailure(error);
    }
  }

  function answer(response: ServerResponse, result: PublishResult | FanfareError, isJson: boolean): void {
    const { socket } = response.req;
    const content = publishResponse(result, isJson);
    const sendText = content.status === 200 && !isDraining() ? senders.get(content.type) : undefined;
    if (sendText) sendText(response, content.body);
    else send(response, content);
    // Usually the kernel has taken it.
    if (socket.writableLength > 0) endWhenStalled(response, limits.stallTimeoutMs, order);
  }

  function send(response: ServerResponse, { status, type, body, headers }: RouteResponse): void {
    const { socket } = response.req;
    const bytes = Buffer.byteLength(body);
    const head: (string | number)[] = [...headersOfAll];
    if (headers) head.push(...Object.entries(headers).flat());
    head.push('content-type', type);
    if (isDraining() && !followed.has(response)) {
      head.push('connection', 'close');
      closeLingering(socket);
    }
    head.push('content-length', bytes);
    // Node writes the head and the body of ASCII characters as one string.
    response.writeHead(status, head as string[]).end(body, bytes === body.length ? 'latin1' : 'utf8');
  }

  return handle;
}

/** Whether nothing in the head needs more than this handler does. */
function isUsual({ method, url, httpVersionMinor, headers }: IncomingMessage, bytesMax: number): boolean {
  return (
    method === 'POST' &&
    url === '/publish' &&
    httpVersionMinor === 1 &&
    headers['content-type'] === 'application/json' &&
    Number(headers['content-length']) <= bytesMax &&
    asksForJson.has(headers.accept) &&
    headers.origin === undefined &&
    headers.expect === undefined &&
    headers.upgrade === undefined &&
    headers['transfer-encoding'] === undefined &&
    headers['content-encoding'] === undefined
  );
}

/**
 * The body. Undefined if it has not arrived as a whole, if it is a batch, or if it is not UTF-8. Then the
 * request still has all of it.
 */
function textOf(request: IncomingMessage): string | undefined {
  if (!request.complete || request.socket.destroyed) return undefined;
  const bytes = request.read() as Buffer | null;
  if (bytes === null) return undefined;
  const text = kindOf(bytes) === 'array' ? undefined : decodeUtf8(bytes);
  if (text === undefined) request.unshift(bytes);
  return text;
}
