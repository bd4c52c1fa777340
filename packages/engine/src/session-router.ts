import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * What became of a request for a session of another server:
 *
 * - `passed_on`: the client has its response, or has gone
 * - `unknown`: there is no such server, so there is no such session either
 * - `unavailable`: the other server has not responded
 */
export type Routing = 'passed_on' | 'unknown' | 'unavailable';

/**
 * The port to other servers. A session is in one process, but a load balancer can send each request of a
 * client that polls to any server. So the id of a session names its server.
 */
export interface SessionRouter {
  /** The id of a new session: 20 characters of base64url. */
  newSessionId(): string;
  /** The other server that has the session of a request. Undefined: the request is served here. */
  otherNodeOf(request: IncomingMessage): string | undefined;
  passOn(nodeId: string, request: IncomingMessage, response: ServerResponse): Promise<Routing>;
  passOnUpgrade(nodeId: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Routing>;
}
