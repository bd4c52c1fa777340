import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import type { ClientAddresses } from '../access/client-address.ts';
import type { EngineInside } from '../insides/engine-inside.ts';
import type { ConnectionCounts } from '../limits/connection-counts.ts';

/** The parts of an Engine.IO connection that this file uses. */
interface EngineConnection {
  readonly request: IncomingMessage;
  readonly transport: { readonly name: string };
  readonly remoteAddress: string | undefined;
  on(event: 'close', listener: (this: EngineConnection) => void): void;
}

/** How long Engine.IO keeps an ended polling session, to tell the next poll. */
const keptMs = 30_000;

/** Counts the sessions of Engine.IO. */
export class SessionCounts {
  /** The number of sessions before login. */
  countPending: () => number = () => 0;
  readonly #counts: ConnectionCounts;
  readonly #addresses: ClientAddresses;
  /** Requests that were let in, each with its address. Engine.IO makes their sessions once it has read all that came with them. */
  readonly #entering = new Map<IncomingMessage, string | undefined>();

  constructor(counts: ConnectionCounts, addresses: ClientAddresses) {
    this.#counts = counts;
    this.#addresses = addresses;
  }

  /** Undefined lets a request in that asks for a session, and counts it; a text says why it is refused. */
  refusal(request: IncomingMessage): string | undefined {
    const address = this.#addresses.of(request);
    const reason = this.#counts.refusal(address);
    if (reason !== undefined) return reason;
    this.#counts.opened(address);
    this.#entering.set(request, address);
    // Of some that are let in nothing comes: a websocket without a key, say.
    setImmediate(() => this.#entered(request));
    return undefined;
  }

  watch(io: Server, { endPolling }: EngineInside): void {
    const counts = this.#counts;
    // One listener for all: one for each would cost every idle connection some hundred bytes.
    function onClose(this: EngineConnection): void {
      const { remoteAddress, transport } = this;
      // Without `endPolling`, the session still takes memory.
      if (endPolling || transport.name !== 'polling') return counts.closed(remoteAddress);
      setTimeout(() => counts.closed(remoteAddress), keptMs).unref();
    }
    io.engine.on('connection', (connection: EngineConnection) => {
      this.#entered(connection.request);
      this.#addresses.tell(connection);
      counts.opened(connection.remoteAddress);
      connection.on('close', onClose);
    });
  }

  #entered(request: IncomingMessage): void {
    const address = this.#entering.get(request);
    if (this.#entering.delete(request)) this.#counts.closed(address);
  }
}
