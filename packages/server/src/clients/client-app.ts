import type { IncomingMessage } from 'node:http';
import {
  LoginRefusal,
  type MalformedMessageError,
  type App,
  type Client,
  type Handshake,
} from '@fanfare/engine';
import { FanfareError } from '@fanfare/protocol';
import { socketTokenOf } from '../access/bearer.ts';
import { crossOriginHeaders, preflightHeaders } from '../access/cross-origin.ts';
import { hostProblem } from '../access/host-header.ts';
import type { Access } from '../access/access.ts';
import type { ClientAddresses } from '../access/client-address.ts';
import type { Refuse } from '../access/reachability.ts';
import type { Rights } from '../access/rights.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import { refusalBySize } from '../message-path/message-size.ts';
import type { ClientRefusalLog } from '../observability/client-refusal-log.ts';
import { asRefusal, type RequestLogger } from '../observability/unexpected-failure.ts';
import { ClientEvents } from './client-events.ts';
import { ClientPeer, type Login, type Members } from './client-peer.ts';
import { Commands } from './commands.ts';
import { unreadable } from './received-command.ts';

export interface ClientAppParts {
  readonly addresses: ClientAddresses;
  readonly refuse: Refuse;
  readonly refusalLog: ClientRefusalLog;
  readonly access: Access;
  readonly requestLogger: RequestLogger;
  /** Returns the message path. Called only after clients have connected. */
  readonly path: () => MessagePath;
  /** The origins of web pages that may connect, in addition to the server's own. */
  readonly origins: readonly string[];
  /** The limits now: a reload can change them. */
  readonly limits: { readonly publishBytesMax: number };
}

/** What the app is told about sessions beside its clients. */
export type SessionEvents = Pick<App<Login>, 'admit' | 'opened' | 'gone'>;

const oldClient =
  'A client was refused. It uses an unsupported protocol version: use a Socket.IO 3 or 4 client (Engine.IO 4).';

/** The error code of Engine.IO for an unsupported protocol version. */
const unsupportedProtocol = 5;

/** What the engine serves: logins, commands, and the ends of clients. */
export function clientApp(parts: ClientAppParts, members: Members, sessions: SessionEvents): App<Login> {
  const { addresses, refuse, refusalLog, access, path, requestLogger: logger } = parts;
  const { origins, limits } = parts;
  const commands = new Commands(path, access);
  const events = new ClientEvents({ commands, refusalLog, logger, limits });

  const loginOf = (rights: Rights, { request, auth }: Handshake): Login => ({
    rights,
    asking: access.asksWithRequest ? { request, auth } : undefined,
    peer: undefined,
  });
  const login = async (token: string | undefined, handshake: Handshake): Promise<Login | LoginRefusal> => {
    try {
      return loginOf(await access.authenticate(token, handshake), handshake);
    } catch (error) {
      const problem = asRefusal(error, logger).toProblem();
      return new LoginRefusal(problem.detail, problem);
    }
  };
  return {
    ...sessions,
    check: (request) => {
      const problem = hostProblem(request);
      if (problem !== undefined) return { status: 400, code: 3, message: problem };
      const message = refuse(request);
      return message === undefined ? undefined : { status: 403, code: 4, message };
    },
    addressOf: (request) => addresses.of(request) ?? '',
    cors: {
      headers: (request) => crossOriginHeaders(request, origins),
      preflight: (request) => preflightHeaders(request, origins),
    },
    checkJson: (json) => {
      const refusal = refusalBySize(json, limits.publishBytesMax);
      if (refusal) throw unreadable(refusal);
    },
    login: (handshake) => {
      const token = socketTokenOf(handshake.auth, handshake.request.headers);
      const known = access.known(token);
      return known ? loginOf(known, handshake) : login(token, handshake);
    },
    connected: (client) => {
      const { rights } = client.identity;
      const { connections } = path();
      const peer = new ClientPeer(client, members, (one) => connections.accept(one, rights));
      client.identity.peer = peer;
      peer.identity = access.trackIdentity(rights, (error) => expire(client, peer, error));
    },
    event: (client, event) => events.take(client, event),
    malformed: (client, error) => {
      const refusal = refusalOf(error);
      refusalLog.log({}, `The connection of a client was closed. ${refusal.message}`);
      client?.emit('error', JSON.stringify(refusal.toProblem()));
    },
    drained: ({ identity }) => identity.peer?.connection.drained(),
    disconnected: ({ identity }) => identity.peer?.close(),
    polled: (deliveries) => path().taken(deliveries),
    refused: ({ code, request }) => {
      if (code === unsupportedProtocol) refusalLog.log({ EIO: versionOf(request) }, oldClient);
    },
  };
}

/**
 * Ends a client whose token has expired or was revoked. Standard clients do not reconnect after a packet
 * DISCONNECT. After a close, they reconnect with a fresh token.
 */
function expire(client: Client<Login>, peer: ClientPeer, error: FanfareError): void {
  peer.connection.expire(error);
  client.emit('error', JSON.stringify(error.toProblem()));
  if (error.code === 'token_expired') client.close();
  else client.disconnect();
}

function refusalOf({ message, cause }: MalformedMessageError): FanfareError {
  return cause instanceof FanfareError ? cause : new FanfareError('bad_request', message);
}

function versionOf({ url = '' }: IncomingMessage): string | undefined {
  return /[?&]EIO=([^&]*)/.exec(url)?.[1];
}
