import type { Backlog, Backlogged } from '@fanfare/fanout/outbox';
import type { Deadlines } from './deadlines.ts';
import type { Heartbeats, Pinged } from './heartbeats.ts';
import { Inbox, type InboxOwner, type InboxTurns } from './inbox.ts';
import type { Logins, PendingLogin } from './login.ts';
import { parsePacket, type PayloadReader } from './packet.ts';
import type { PollingTransport } from './polling.ts';
import { OutgoingPacket, type PollingOwner, type Transport, type TransportParts } from './transport.ts';
import { Upgrade } from './upgrade.ts';
import type { WebSocketTransport } from './websocket.ts';

/** The parts that all sessions of an engine share. */
export interface SessionParts extends TransportParts {
  readonly backlog: Backlog;
  readonly turns: InboxTurns;
  readonly heartbeats: Heartbeats<Session>;
  readonly logins: Logins<Session>;
  readonly upgrades: Deadlines<Upgrade>;
  /** Called when nothing is left of a session. */
  readonly onGone: (session: Session) => void;
}

/** What a session carries: messages of Socket.IO. */
export interface MessageHandler {
  takeMessage(text: string): void;
  takeAttachment(): void;
  /** The client has read everything, after `offer` has returned false. */
  drained(): void;
  /** The session has ended, or is being closed. Called once. */
  end(reason: string): void;
}

/** A packet up to this size is always sent to a client for which nothing waits. */
const smallBytes = 65_536;

const ping = new OutgoingPacket('2');

/** One session of Engine.IO: a client, whichever transport it uses. */
export class Session implements PollingOwner, InboxOwner, Pinged, PendingLogin, Backlogged {
  readonly id: string;
  readonly address: string;
  readonly #parts: SessionParts;
  readonly #inbox: Inbox;
  #handler: MessageHandler | undefined;
  #transport: Transport | undefined;
  #upgrade: Upgrade | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #isSlow = false;
  /** Whether the client missed something because it was slow. */
  #hasMissed = false;

  constructor(id: string, address: string, parts: SessionParts) {
    this.id = id;
    this.address = address;
    this.#parts = parts;
    this.#inbox = new Inbox(parts.turns, this);
  }

  /** Begins with the packet of type open. */
  open(transport: Transport, handler: MessageHandler): void {
    this.#transport = transport;
    this.#handler = handler;
    this.#parts.heartbeats.begin(this);
    this.#parts.logins.begin(this);
    const { pingIntervalMs: pingInterval, pingTimeoutMs: pingTimeout, packetBytesMax } = this.#parts.options;
    const upgrades = this.isPolling ? ['websocket'] : [];
    const handshake = { sid: this.id, upgrades, pingInterval, pingTimeout, maxPayload: packetBytesMax };
    this.send(new OutgoingPacket(`0${JSON.stringify(handshake)}`));
  }

  get transportName(): Transport['name'] {
    return this.#transport?.name ?? 'polling';
  }

  get polling(): PollingTransport | undefined {
    return this.isPolling ? (this.#transport as PollingTransport) : undefined;
  }

  get isPolling(): boolean {
    return this.transportName === 'polling';
  }

  get isUnread(): boolean {
    const transport = this.#transport;
    return transport !== undefined && (transport.isSlow || (this.isPolling && transport.waitingBytes > 0));
  }

  get waitingBytes(): number {
    return this.#transport?.waitingBytes ?? 0;
  }

  get progress(): number {
    return this.#transport?.progress ?? 0;
  }

  get bodyBytesMax(): number {
    const { options, logins } = this.#parts;
    return Math.min(options.packetBytesMax, logins.has(this) ? options.loginBytesMax : Infinity);
  }

  /** Sends a packet, even if the client is slow. */
  send(packet: OutgoingPacket): void {
    if (this.#state !== 'open') return;
    this.#transport?.send(packet);
    this.#parts.chains.settle();
    this.changed();
  }

  /**
   * Offers packets: the client gets all of them or none.
   *
   * @returns false if the client has no space. `drained` tells the handler when it has space again
   */
  offer(packets: readonly OutgoingPacket[]): boolean {
    const transport = this.#transport;
    if (this.#state !== 'open' || !transport) return true;
    const isTaken = transport.offer(packets);
    if (!isTaken) this.#hasMissed = true;
    this.changed();
    return isTaken;
  }

  mayWait(bytes: number): boolean {
    const { backlog, options } = this.#parts;
    if (this.#isSlow) return this.waitingBytes + bytes <= options.outboxBytesMax && backlog.fits(bytes);
    if (bytes > smallBytes) backlog.evictFor(bytes);
    return true;
  }

  ping(): void {
    this.send(ping);
  }

  /** Sends what waits, and closes. */
  close(reason: string, closeReason?: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#stop(reason);
    this.#transport?.close(closeReason);
  }

  cut(reason: string): void {
    if (this.#state === 'open') this.#state = 'closing';
    this.#stop(reason);
    this.#upgrade?.cancel();
    this.#transport?.terminate();
  }

  /** Ends the session, because its client is slow. */
  end(): void {
    this.cut('slow client');
  }

  /** A client over a WebSocket gets a closing frame. */
  fail(reason: string): void {
    if (this.isPolling) this.cut(reason);
    else this.close(reason, reason);
  }

  receive(packet: string | undefined): void {
    if (this.#state === 'open') this.#inbox.add(packet);
  }

  receivePayload(reader: PayloadReader, onTaken: () => void): void {
    if (this.#state === 'open') this.#inbox.addPayload({ reader, onTaken });
    else onTaken();
  }

  allow(bytes: number, frames: number): boolean {
    return this.#parts.logins.allow(this, { bytes, frames });
  }

  read(): void {
    this.#inbox.read();
  }

  lost(reason: string, from: Transport): void {
    if (from === this.#transport) this.#inbox.whenEmpty(() => this.#finish(reason));
  }

  pause(): void {
    this.#transport?.pause();
  }

  resume(): void {
    this.#transport?.resume();
  }

  take(packet: string | undefined): void {
    if (this.#state !== 'open') return;
    const { heartbeats, logins } = this.#parts;
    if (!logins.allow(this, { packets: 1 })) return this.cut('too many packets before login');
    if (packet === undefined) {
      heartbeats.hear(this);
      return this.#handler?.takeAttachment();
    }
    const { type, data } = parsePacket(packet) ?? { type: undefined, data: '' };
    if (type === 'pong') return heartbeats.pong(this);
    heartbeats.hear(this);
    if (type === 'message') this.#handler?.takeMessage(data);
    else if (type === 'binary') this.#handler?.takeAttachment();
    // A client over a WebSocket leaves with a closing frame, so its packet of type close is ignored.
    else if (type === 'close' && this.isPolling) this.cut('transport close');
    else if (type === undefined) this.fail('parse error');
    else if (type === 'ping') this.fail('invalid heartbeat direction');
  }

  /** @returns the upgrade; undefined if the session cannot be upgraded now */
  beginUpgrade(): Upgrade | undefined {
    const { polling } = this;
    if (!polling || this.#upgrade || this.#state === 'closed') return undefined;
    const { upgrades } = this.#parts;
    this.#upgrade = new Upgrade(polling, {
      allow: (...arrived) => this.allow(...arrived),
      isOver: (webSocket) => {
        if (this.#upgrade) upgrades.delete(this.#upgrade);
        this.#upgrade = undefined;
        if (webSocket) this.#continueOver(polling, webSocket);
      },
    });
    upgrades.add(this.#upgrade);
    return this.#upgrade;
  }

  #continueOver(polling: PollingTransport, webSocket: WebSocketTransport): void {
    this.#transport = webSocket;
    webSocket.owner = this;
    polling.moveTo(webSocket);
    if (this.#state === 'closing') webSocket.close();
    this.changed();
  }

  /** Notes what waits, while the client is slow. */
  changed(): void {
    const transport = this.#transport;
    if (this.#state === 'closed' || !transport) return;
    const { backlog } = this.#parts;
    const isSlow = transport.isSlow || (this.#isSlow && transport.waitingBytes > 0);
    if (isSlow) backlog.set(this, transport.waitingBytes, transport.ownBytes);
    else if (this.#isSlow) backlog.delete(this);
    this.#isSlow = isSlow;
    if (isSlow || !this.#hasMissed) return;
    this.#hasMissed = false;
    this.#handler?.drained();
  }

  /** Nothing more is taken from the client. */
  #stop(reason: string): void {
    this.#parts.heartbeats.end(this);
    this.#parts.logins.end(this);
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.end(reason);
    this.#inbox.close();
  }

  #finish(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stop(reason);
    this.#parts.backlog.delete(this);
    this.#upgrade?.cancel();
    this.#parts.onGone(this);
  }
}
