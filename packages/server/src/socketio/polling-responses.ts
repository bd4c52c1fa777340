import type { Server, Socket } from 'socket.io';
import type { EngineInside } from '../insides/engine-inside.ts';
import type { SplitConnection } from '../insides/split-answer.ts';

/** The parts of an Engine.IO connection that this file uses. */
interface EngineConnection extends SplitConnection {
  on(event: 'flush' | 'packetCreate', listener: Listener): void;
  off(event: 'flush' | 'packetCreate', listener: Listener): void;
  listeners(event: 'flush'): readonly unknown[];
}

type Listener = (this: EngineConnection, argument: never) => void;

/**
 * Limits the responses to polls to 16 packets each, and counts deliveries. A delivery to a polling client
 * counts when a response has taken it, because the client may have left long before its session ends.
 */
export class PollingResponses {
  /** Whether responses can be split. Otherwise deliveries count when they are sent. */
  readonly #isKnown: boolean;
  /** The deliveries that no response has taken yet. */
  readonly #waiting = new WeakSet<object>();
  /**
   * The number of packets before the deliveries among those that are being created. Undefined if none is a
   * delivery.
   */
  #before: number | undefined;
  #marked = 0;
  // Shared by all connections: listeners of its own would cost every idle connection some hundred bytes.
  readonly #onCreate: Listener;
  readonly #onFlush: Listener;

  /** @param onTaken - called with the number of deliveries that a response has taken */
  constructor({ splitAnswer }: EngineInside, onTaken: (deliveries: number) => void) {
    this.#isKnown = splitAnswer !== undefined;
    this.#onCreate = (packet: object) => this.#mark(packet);
    const take = (connection: EngineConnection, packets: object[]): void => {
      if (isPolling(connection)) splitAnswer?.(connection, packets);
      // The connection was upgraded: waiting packets go over the websocket.
      else this.#leave(connection);
      const taken = packets.reduce((count, packet) => count + Number(this.#waiting.delete(packet)), 0);
      if (taken > 0) onTaken(taken);
    };
    this.#onFlush = function (packets: object[]) {
      take(this, packets);
    };
  }

  /** Watches the responses to all future clients, also before their login. */
  beginAll(io: Server): void {
    io.engine.on('connection', (client: object) => this.begin(client));
  }

  /** Watches the responses to a client, if it polls. Can be called again. */
  begin(client: object): void {
    const connection = client as EngineConnection;
    if (!this.#isKnown || !isPolling(connection) || this.#isWatched(connection)) return;
    connection.on('packetCreate', this.#onCreate);
    connection.on('flush', this.#onFlush);
  }

  end(client: object): void {
    this.#leave(client as EngineConnection);
  }

  /** Whether deliveries to a client count when a response takes them. */
  isPolled({ conn }: Socket): boolean {
    const connection = conn as unknown as EngineConnection;
    return isPolling(connection) && this.#isWatched(connection);
  }

  /**
   * Marks everything that is sent until {@link unmark}, in the same turn, as deliveries.
   *
   * @param before - the number of packets at the beginning that are not deliveries
   */
  mark(before = 0): void {
    this.#before = before;
    this.#marked = 0;
  }

  /** @returns the number of deliveries to polling clients */
  unmark(): number {
    this.#before = undefined;
    return this.#marked;
  }

  #mark(packet: object): void {
    if (this.#before === undefined || this.#before-- > 0) return;
    this.#waiting.add(packet);
    this.#marked++;
  }

  #leave(connection: EngineConnection): void {
    connection.off('packetCreate', this.#onCreate);
    connection.off('flush', this.#onFlush);
  }

  #isWatched(connection: EngineConnection): boolean {
    return connection.listeners('flush').includes(this.#onFlush);
  }
}

function isPolling({ transport }: EngineConnection): boolean {
  return transport.name === 'polling';
}
