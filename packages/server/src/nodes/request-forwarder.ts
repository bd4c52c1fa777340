import {
  Agent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { HostPort } from './host-port.ts';
import { hasBody } from '../access/has-body.ts';
import type { CallerParts } from './handshake-parts.ts';
import { connectToNode } from './node-handshake.ts';
import { headersToPassOn, responseHeadersToPassOn } from './passed-on-head.ts';

/**
 * How long an idle connection is kept, in milliseconds. Shorter than the other node keeps it, so that no
 * request is sent on a connection that is being closed.
 */
const idleMs = 30_000;

/** The idle connections to each node that are kept. */
const idleConnectionsMax = 256;

/** A node that is called. */
export interface Callee {
  readonly nodeId: string;
  readonly address: HostPort;
}

/** Passes HTTP requests on to other nodes, over authenticated connections that are kept. */
export class RequestForwarder {
  readonly #agent: Agent;
  readonly #silenceMs: number;

  /** @param silenceMs - how long another node can be silent, in milliseconds */
  constructor(caller: CallerParts, silenceMs: number) {
    this.#agent = new NodeAgent(caller);
    this.#silenceMs = silenceMs;
  }

  /**
   * Sends a request to another node, and its response to the client. Bodies are streamed: neither side reads
   * faster than the other takes. Resolves when the response is complete, or the client has gone.
   *
   * A request is never sent twice: the response that was lost may have had packets for the client.
   *
   * @throws Error if the other node has not responded. Then the client has no response yet
   */
  forward(callee: Callee, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (response.destroyed || request.socket.destroyed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(this.#optionsFor(callee, request));
      const { socket } = request;
      const stopWatching = (): void => {
        socket.off('close', finish);
        response.off('close', finish);
      };
      const finish = (): void => {
        stopWatching();
        if (!response.writableFinished) outgoing.destroy();
        resolve();
      };
      // A response that waits for earlier ones emits no event if its connection closes.
      socket.on('close', finish);
      response.on('close', finish);
      outgoing.on('timeout', () => {
        // Else it is the client that is slow. The stall timeout of its connection ends that.
        if (response.writableLength === 0) outgoing.destroy(new Error('The node does not respond.'));
      });
      outgoing.on('response', (incoming) => passBack(incoming, response));
      outgoing.on('error', (error) => {
        // A response that has begun can only be cut.
        if (response.headersSent) return void response.destroy();
        stopWatching();
        // The rest of the body must not keep the client's connection busy.
        request.unpipe(outgoing);
        request.resume();
        reject(error);
      });
      if (hasBody(request)) request.pipe(outgoing);
      else outgoing.end();
    });
  }

  #optionsFor({ nodeId, address }: Callee, request: IncomingMessage): RequestOptions {
    const { method, url: path } = request;
    const limits = { agent: this.#agent, timeout: this.#silenceMs };
    // The id is for our agent.
    return {
      ...address,
      ...limits,
      nodeId,
      method,
      path,
      headers: headersToPassOn(request),
    } as RequestOptions;
  }

  /** Closes all connections. Requests that wait for a response fail. */
  close(): void {
    this.#agent.destroy();
  }
}

/** Keeps connections that have begun with the handshake of nodes. */
class NodeAgent extends Agent {
  readonly #caller: CallerParts;

  constructor(caller: CallerParts) {
    super({ keepAlive: true, timeout: idleMs, maxFreeSockets: idleConnectionsMax });
    this.#caller = caller;
  }

  override createConnection(
    options: object,
    onConnected?: (error: Error | null, connection: Duplex) => void,
  ): undefined {
    const { host, port, nodeId } = options as HostPort & { readonly nodeId: string };
    const { key, usesTls } = this.#caller;
    connectToNode({ host, port }, { key, usesTls, listenerId: nodeId }).then(
      (socket) => onConnected?.(null, socket),
      (error: Error) => (onConnected as ((error: Error) => void) | undefined)?.(error),
    );
  }
}

function passBack(incoming: IncomingMessage, response: ServerResponse): void {
  if (response.destroyed) return void incoming.destroy();
  response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, responseHeadersToPassOn(incoming));
  incoming.pipe(response);
  incoming.on('close', () => {
    if (!incoming.complete) response.destroy();
  });
  incoming.on('error', () => response.destroy());
}
