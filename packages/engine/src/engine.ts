import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  Backlog,
  DirectWrites,
  FlushSchedule,
  FrameChains,
  HeldFrames,
  proveDirectWrites,
} from '@fanfare/fanout/outbox';
import type { WebSocket, WebSocketServer } from 'ws';
import type { App } from './app.ts';
import type { Client } from './client.ts';
import { sharedArrivals } from './arrival-budget.ts';
import { Deadlines } from './deadlines.ts';
import { Dispatcher } from './dispatcher.ts';
import { Heartbeats } from './heartbeats.ts';
import { newId } from './ids.ts';
import { InboxTurns } from './inbox.ts';
import { Logins } from './login.ts';
import { defaultOptions, type EngineOptions } from './options.ts';
import { PollingTransport } from './polling.ts';
import { queryOf, refusalOf, refusals, refuse, refuseUpgrade, type Refusal } from './refusal.ts';
import type { Routing, SessionRouter } from './session-router.ts';
import { Session, type SessionParts } from './session.ts';
import type { OutgoingPacket, Transport } from './transport.ts';
import type { Upgrade } from './upgrade.ts';
import { createWebSocketServer, refuseWebSocket, WebSocketTransport } from './websocket.ts';

/** How long clients can take to read what waits for them. */
export interface DrainTimes {
  readonly idleMs: number;
  readonly timeoutMs: number;
}

/**
 * Serves the clients of one path. The HTTP server belongs to the app, which gives the engine its requests and
 * upgrades.
 */
export class Engine<I> {
  readonly #app: App<I>;
  readonly #router: SessionRouter | undefined;
  readonly #sessions = new Map<string, Session>();
  #webSockets: WebSocketServer;
  readonly #parts: SessionParts;
  readonly #paths: ReadonlySet<string>;
  #onEmpty = (): void => {};

  /** @param router - passes requests on, if there are several servers */
  constructor(app: App<I>, options: Partial<EngineOptions> = {}, router?: SessionRouter) {
    this.#app = app;
    this.#router = router;
    const all = { ...defaultOptions, ...options };
    this.#webSockets = createWebSocketServer(all);
    this.#parts = partsOf(app, all, ({ id, address }) => {
      if (!this.#sessions.delete(id)) return;
      app.gone?.(address);
      if (this.#sessions.size === 0) this.#onEmpty();
    });
    const path = all.path.replace(/\/$/, '');
    this.#paths = new Set([path, `${path}/`]);
  }

  /** Changes options. Open WebSockets keep the limit of a packet that they were told in their handshake. */
  configure(changes: Partial<EngineOptions>): void {
    Object.assign(this.#parts.options, changes);
    this.#webSockets = createWebSocketServer(this.#parts.options);
  }

  /** Writes to the kernel past the streams of Node, if a trial shows that this works. @throws Error if not */
  async useDirectWrites(): Promise<void> {
    this.#parts.direct.use(await proveDirectWrites());
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** The number of sessions whose clients have not logged in. */
  get pendingLogins(): number {
    return this.#parts.logins.pending;
  }

  /** The bytes that wait for slow clients. Bytes that wait for several of them count once. */
  get waitingBytes(): number {
    return this.#parts.backlog.bytes;
  }

  /** Whether a request or an upgrade is for the engine. */
  isOurs({ url = '' }: Pick<IncomingMessage, 'url'>): boolean {
    return this.#paths.has(url.replace(/\?.*$/s, ''));
  }

  handleRequest(request: IncomingMessage, response: ServerResponse): void {
    const { cors } = this.#app;
    if (cors) {
      const preflight = cors.preflight(request);
      for (const [name, value] of Object.entries(cors.headers(request))) response.setHeader(name, value);
      if (preflight) return void response.writeHead(204, preflight).end();
    }
    const refusal = this.#app.check?.(request);
    if (refusal) return refuse(response, refusal);
    const serve = (): void => this.#serve(request, response);
    const fail = (): void => {
      if (!response.destroyed) refuse(response, refusals.unavailable);
    };
    this.#route(request, serve, fail, (router, nodeId) => router.passOn(nodeId, request, response));
  }

  /** @param head - the bytes that have come after the request */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#app.check?.(request);
    if (refusal) return refuseUpgrade(socket, refusal);
    const serve = (): void => this.#serveUpgrade(request, socket, head);
    const fail = (): void => refuseUpgrade(socket, refusals.unavailable);
    this.#route(request, serve, fail, (router, nodeId) =>
      router.passOnUpgrade(nodeId, request, socket, head),
    );
  }

  /**
   * Sends a packet to many clients.
   *
   * @param onFull - called for a client that has no space
   * @returns the number of clients that it was sent to, without those that poll. The app is told when polls
   *   have taken deliveries
   */
  broadcast(to: Iterable<Client<I>>, packet: OutgoingPacket, onFull: (client: Client<I>) => void): number {
    const packets = [packet];
    let sent = 0;
    for (const client of to) {
      if (!client.offer(packets)) onFull(client);
      else if (client.transport === 'websocket') sent++;
    }
    this.#parts.chains.settle();
    return sent;
  }

  /** Resolves when more can be broadcast without blocking the event loop. */
  ready(): Promise<void> {
    return this.#parts.schedule.ready();
  }

  /**
   * Closes all sessions, after what waits for them is sent. Resolves when all are gone, when no client has
   * read anything for `idleMs`, or after `timeoutMs`.
   */
  async drain({ idleMs, timeoutMs }: DrainTimes): Promise<void> {
    for (const session of this.#sessions.values()) session.close('server close');
    if (this.#sessions.size === 0) return;
    let read = this.#read();
    await new Promise<void>((resolve) => {
      const idle = setInterval(() => {
        const before = read;
        read = this.#read();
        if (read === before) done();
      }, idleMs);
      const late = setTimeout(() => done(), timeoutMs);
      const done = (): void => {
        clearInterval(idle);
        clearTimeout(late);
        resolve();
      };
      this.#onEmpty = done;
    });
  }

  /** Ends all sessions at once. */
  terminate(): void {
    for (const session of this.#sessions.values()) session.cut('server close');
  }

  /** Changes whenever a client has read something, or is gone. */
  #read(): number {
    let sum = this.#sessions.size;
    for (const { progress } of this.#sessions.values()) sum += progress;
    return sum;
  }

  /** Serves a request here, or has it passed on to the server that has its session. */
  #route(
    request: IncomingMessage,
    serve: () => void,
    fail: () => void,
    passOn: (router: SessionRouter, nodeId: string) => Promise<Routing>,
  ): void {
    const router = this.#router;
    const nodeId = router?.otherNodeOf(request);
    if (!router || nodeId === undefined) return serve();
    void passOn(router, nodeId).then((routing) => {
      if (routing === 'unknown') serve();
      else if (routing === 'unavailable') fail();
    });
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const query = queryOf(request);
    const session = this.#sessions.get(query.sid);
    const refusal = refusalOf(query, request, false, session);
    if (refusal) return refuse(response, this.#tell(refusal, request));
    if (session) return session.polling?.handle(request, response);
    void this.#admit(request).then((reason) => {
      if (response.destroyed) return;
      if (reason) return refuse(response, reason);
      this.#open(request, (opened) => new PollingTransport(this.#parts, opened)).handle(request, response);
    });
  }

  #serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const query = queryOf(request);
    const refusal = refusalOf(query, request, true, this.#sessions.get(query.sid));
    if (refusal) return refuseUpgrade(socket, this.#tell(refusal, request));
    const parts = this.#parts;
    const accept = (onWebSocket: (webSocket: WebSocket) => void): void =>
      this.#webSockets.handleUpgrade(request, socket, head, onWebSocket);
    if (query.version !== '4' || query.transport !== 'websocket') {
      const { message } = this.#tell(
        query.version === '4' ? refusals.transport : refusals.oldClient,
        request,
      );
      return accept((webSocket) => refuseWebSocket(webSocket, message, parts.options.closeTimeoutMs));
    }
    if (query.sid !== '') {
      return accept((webSocket) => {
        const upgrade = this.#sessions.get(query.sid)?.beginUpgrade();
        if (upgrade) upgrade.begin(new WebSocketTransport(webSocket, socket, parts, upgrade));
        else refuseWebSocket(webSocket, 'This session cannot be upgraded.', parts.options.closeTimeoutMs);
      });
    }
    // Nobody else listens meanwhile, and an error would end the process.
    socket.on('error', ignore);
    void this.#admit(request).then((reason) => {
      socket.off('error', ignore);
      if (socket.destroyed) return;
      if (reason) return refuseUpgrade(socket, reason);
      accept((webSocket) => {
        this.#open(request, (session) => new WebSocketTransport(webSocket, socket, parts, session));
      });
    });
  }

  /** @returns why a new session is refused */
  async #admit(request: IncomingMessage): Promise<Refusal | undefined> {
    const message = await this.#app.admit?.(request);
    return message === undefined ? undefined : this.#tell({ code: 4, message, status: 403 }, request);
  }

  #tell(refusal: Refusal, request: IncomingMessage): Refusal {
    this.#app.refused?.({ ...refusal, request });
    return refusal;
  }

  #open<T extends Transport>(request: IncomingMessage, transportOf: (session: Session) => T): T {
    const id = this.#router?.newSessionId() ?? newId();
    const address = this.#app.addressOf?.(request) ?? request.socket.remoteAddress ?? '';
    const session = new Session(id, address, this.#parts);
    const transport = transportOf(session);
    this.#sessions.set(id, session);
    this.#app.opened?.(address);
    session.open(transport, new Dispatcher(session, request, this.#app, this.#parts.logins));
    return transport;
  }
}

function ignore(): void {}

function partsOf<I>(app: App<I>, options: EngineOptions, onGone: SessionParts['onGone']): SessionParts {
  const frames = new HeldFrames();
  const { pollingCloseTimeoutMs, pingIntervalMs, pingTimeoutMs } = options;
  // A client that is silent for this time has gone.
  const silenceMs = pingIntervalMs + pingTimeoutMs;
  const terminate = (transport: Transport): void => transport.terminate();
  return {
    options,
    frames,
    chains: new FrameChains(frames),
    schedule: new FlushSchedule(),
    direct: new DirectWrites(),
    arrivals: options.arrivals ?? sharedArrivals,
    closingPolling: new Deadlines(Math.min(pollingCloseTimeoutMs, silenceMs), terminate),
    closingSoon: new Deadlines(options.closeTimeoutMs, terminate),
    onPolled: (deliveries) => app.polled?.(deliveries),
    // The same object, so that changed options count.
    backlog: new Backlog(Object.assign(options, { sharedBytes: () => frames.bytes })),
    turns: new InboxTurns(options),
    heartbeats: new Heartbeats<Session>(options),
    logins: new Logins<Session>(options),
    upgrades: new Deadlines<Upgrade>(options.upgradeTimeoutMs, (upgrade) => upgrade.cancel()),
    onGone,
  };
}
