import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { isPassedOn } from '../access/tcp-addresses.ts';
import { withTimeout } from '../limits/timeout.ts';
import type { Logger } from '../observability/logger.ts';
import { parseNodeAddress, type NodeDirectory } from './node-directory.ts';
import { RequestForwarder, type Callee } from './request-forwarder.ts';
import { newSessionId, nodeOfSession } from './session-ids.ts';
import { WebSocketTunnels } from './websocket-tunnel.ts';

/** How long the directory can take to find the address of a node, in milliseconds. */
const lookupMs = 2_000;

/**
 * What became of a request that had to be passed on:
 *
 * - `passed_on`: the client has its response, or has gone
 * - `unknown`: there is no such node, so the session does not exist. The client has no response yet
 * - `unavailable`: the node has not responded. The client has no response yet
 */
export type Routing = 'passed_on' | 'unknown' | 'unavailable';

export interface SessionRouterOptions {
  readonly directory: NodeDirectory;
  /** How many requests and websockets can be passed on at the same time. */
  readonly passedOnMax: () => number;
  /**
   * How long another node can be silent, in milliseconds. The client end must send something to each client
   * in a shorter time.
   */
  readonly silenceMs: number;
  readonly logger: Logger;
}

/**
 * Finds the node that has the session of a request, and passes the request on to it. A polling session lives
 * in one process, but a load balancer sends each request to any node. The id of a session names its node.
 *
 * The router sees requests of node:http only. It knows nothing of the client end that makes the sessions.
 */
export class SessionRouter {
  readonly #directory: NodeDirectory;
  readonly #passedOnMax: () => number;
  readonly #logger: Logger;
  readonly #requests: RequestForwarder;
  readonly #tunnels: WebSocketTunnels;
  #passedOn = 0;

  constructor({ directory, passedOnMax, silenceMs, logger }: SessionRouterOptions) {
    this.#directory = directory;
    this.#passedOnMax = passedOnMax;
    this.#logger = logger;
    this.#requests = new RequestForwarder(directory, silenceMs);
    this.#tunnels = new WebSocketTunnels(directory, silenceMs);
  }

  /** The id of a new session on this node. */
  newSessionId(): string {
    return newSessionId(this.#directory.nodeId);
  }

  /**
   * The other node that the session of a request names. Undefined: the request must be served here. This
   * includes each request that another node has passed on: a request is passed on only once.
   */
  otherNodeOf(request: IncomingMessage): string | undefined {
    const nodeId = nodeOfSession(request.url ?? '');
    return nodeId === this.#directory.nodeId || isPassedOn(request) ? undefined : nodeId;
  }

  passOn(nodeId: string, request: IncomingMessage, response: ServerResponse): Promise<Routing> {
    return this.#pass(nodeId, (callee) => this.#requests.forward(callee, request, response));
  }

  /** @param head - the bytes that have come after the request */
  passOnUpgrade(nodeId: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Routing> {
    // From here on, no other code listens to the socket.
    socket.on('error', ignore);
    return this.#pass(nodeId, (callee) => this.#tunnels.open(callee, request, socket, head));
  }

  /** Ends everything that is being passed on. */
  close(): void {
    this.#requests.close();
    this.#tunnels.close();
  }

  async #pass(nodeId: string, send: (callee: Callee) => Promise<void>): Promise<Routing> {
    this.#passedOn++;
    try {
      // Agents of Node would let further requests wait, behind polls that take half a minute.
      if (this.#passedOn > this.#passedOnMax())
        throw new Error(`Limit of ${this.#passedOnMax()} requests that are passed on reached.`);
      const callee = await this.#find(nodeId);
      if (!callee) return 'unknown';
      await send(callee);
      return 'passed_on';
    } catch (err) {
      this.#logger.warn({ err, node: nodeId }, 'Cannot pass requests on to another node.');
      return 'unavailable';
    } finally {
      this.#passedOn--;
    }
  }

  async #find(nodeId: string): Promise<Callee | undefined> {
    const finding = this.#directory.addressOf(nodeId);
    const text = await withTimeout(finding, lookupMs, 'The directory of nodes does not respond.');
    const address = text === undefined ? undefined : parseNodeAddress(text);
    return address && { nodeId, address };
  }
}

function ignore(): void {}
