import type { EventEmitter } from 'node:events';

/**
 * The number of packets that wait because the transport of their connection is busy. It is counted from
 * public events of Engine.IO: `packetCreate` for each packet, and `flush` when the transport gets all that
 * wait.
 */
export class PacketsWaiting {
  readonly #counts = new WeakMap<object, number>();
  readonly #onCreate: () => void;
  readonly #onFlush: () => void;

  constructor() {
    const counts = this.#counts;
    this.#onCreate = function (this: object) {
      counts.set(this, (counts.get(this) ?? 0) + 1);
    };
    this.#onFlush = function (this: object) {
      counts.set(this, 0);
    };
  }

  /** Starts counting the packets of a connection. */
  begin(connection: EventEmitter): void {
    if (!connection.listeners('flush').includes(this.#onFlush))
      connection.on('packetCreate', this.#onCreate).on('flush', this.#onFlush);
  }

  end(connection: EventEmitter): void {
    connection.off('packetCreate', this.#onCreate).off('flush', this.#onFlush);
  }

  of(connection: object): number {
    return this.#counts.get(connection) ?? 0;
  }
}
