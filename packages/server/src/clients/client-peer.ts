import { eventPacket, type Client } from '@fanfare/engine';
import type { Form } from '@fanfare/protocol';
import type { Asking } from '../access/identify.ts';
import type { LiveIdentity } from '../access/live-identities.ts';
import type { Rights } from '../access/rights.ts';
import type { Source } from '../limits/rate-limits.ts';
import type { AudienceMembers } from '../message-path/audience-members.ts';
import type { Connection } from '../message-path/connection.ts';
import { isDelivery, type Audience, type PeerEvent } from '../message-path/peer-events.ts';
import type { Peer } from '../message-path/peer.ts';
import type { Commander } from './commands.ts';

/** What the server knows of a client since its login. */
export interface Login {
  readonly rights: Rights;
  /** The request and the credentials, if the next token needs them. */
  readonly asking: Asking | undefined;
  /** Undefined until the client is connected. */
  peer: ClientPeer | undefined;
}

/** The clients that have joined each audience, for each form. */
export type Members = Readonly<Record<Form, AudienceMembers<Client<Login>>>>;

/** One client of the engine. */
export class ClientPeer implements Peer, Commander {
  readonly connection: Connection;
  identity: LiveIdentity | undefined;
  readonly #client: Client<Login>;
  readonly #members: Members;

  constructor(client: Client<Login>, members: Members, accept: (peer: Peer) => Connection) {
    this.#client = client;
    this.#members = members;
    this.connection = accept(this);
  }

  get id(): string {
    return this.#client.id;
  }

  get transport(): string {
    return this.#client.transport;
  }

  get isPolled(): boolean {
    return this.#client.transport === 'polling';
  }

  get address(): string {
    return this.#client.address;
  }

  get waitingBytes(): number {
    return this.#client.waitingBytes;
  }

  get asking(): Asking | undefined {
    return this.#client.identity.asking;
  }

  get source(): Source {
    const { connection, address } = this;
    return { connection, subject: connection.rights.identity.subject, address };
  }

  join(audience: Audience, form: Form): void {
    this.#members[form].join(audience, this.#client);
  }

  leave(audience: Audience, form: Form): void {
    this.#members[form].leave(audience, this.#client);
  }

  notify({ name, argumentJson }: PeerEvent): void {
    this.#client.emit(name, argumentJson);
  }

  offer(events: readonly PeerEvent[]): boolean {
    return this.#client.offer(
      events.map((event) => eventPacket(event.name, event.argumentJson, isDelivery(event))),
    );
  }

  end(): void {
    this.#client.disconnect();
  }

  /** The client has gone, or its token no longer counts. */
  close(): void {
    this.identity?.close();
    this.connection.close();
  }
}
