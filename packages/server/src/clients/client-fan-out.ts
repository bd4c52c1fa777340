import { eventPacket, type Client, type Engine } from '@fanfare/engine';
import type { FanOut } from '../message-path/fan-out.ts';
import type { LiveEvent } from '../message-path/peer-events.ts';
import type { Login, Members } from './client-peer.ts';

/** Sends live messages to the clients of the engine. */
export class ClientFanOut implements FanOut {
  readonly #engine: Engine<Login>;
  readonly #members: Members;

  constructor(engine: Engine<Login>, members: Members) {
    this.#engine = engine;
    this.#members = members;
  }

  broadcast(event: LiveEvent): number {
    const packet = eventPacket(event.name, event.argumentJson, true);
    return this.#engine.broadcast(this.#clientsOf(event), packet, ({ identity: { peer } }) =>
      peer?.connection.overflow(event),
    );
  }

  ready(): Promise<void> {
    return this.#engine.ready();
  }

  get waitingBytes(): number {
    return this.#engine.waitingBytes;
  }

  /** The clients that have joined any of the audiences, each once. */
  #clientsOf({ form, audiences }: LiveEvent): Iterable<Client<Login>> {
    const members = this.#members[form];
    const [first] = audiences;
    if (first && audiences.length === 1) return members.of(first);
    const clients = new Set<Client<Login>>();
    for (const audience of audiences) for (const client of members.of(audience)) clients.add(client);
    return clients;
  }
}
