import { connect, createServer, type Server, type Socket } from 'node:net';
import { startListening } from '../../../../test/waits.ts';
import { atEnd } from './at-end.ts';
import { Flow, type Direction } from './flow.ts';

/** Which connections and which bytes a fault touches. */
export interface Scope {
  /** By default both directions. */
  readonly direction?: Direction;
  /** By default all connections, also those that are opened later. */
  readonly of?: (connection: ProxiedConnection) => boolean;
}

/** Something that is wrong with the network, until `lift`. */
export interface Fault {
  lift(): void;
}

interface ActiveFault extends Scope {
  readonly kind: 'hold' | 'discard' | 'delay';
  readonly delayMs: number;
}

/** Decides what becomes of bytes that arrive. By default they go on. */
export type Inspect = (connection: ProxiedConnection, direction: Direction, bytes: Buffer) => Verdict;

/**
 * The bytes that go on. With `thenEnd`, the connection ends after them for their receiver, and is reset for
 * their sender. A reset of both ends could overtake the bytes.
 */
export interface Verdict {
  readonly passed: Buffer;
  readonly thenEnd?: boolean;
}

/** A connection of a client through the proxy. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #server: Socket;

  constructor(client: Socket, server: Socket) {
    this.#client = client;
    this.#server = server;
  }

  /** Resets the connection at both ends (RST). */
  cut(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  get isOpen(): boolean {
    return !this.#client.destroyed && !this.#server.destroyed;
  }
}

/**
 * A TCP proxy that can break the network between clients and a server: it holds, delays and discards bytes,
 * cuts connections and refuses new ones. Closed when the test ends.
 *
 * A proxy accepts a connection that a client opens while bytes are held: only the bytes wait.
 */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #connections = new Map<ProxiedConnection, readonly Flow[]>();
  readonly #faults = new Set<ActiveFault>();
  readonly #inspect: Inspect | undefined;
  #refuses = false;

  protected constructor(server: Server, port: number, serverPort: number, inspect?: Inspect) {
    this.#server = server;
    this.port = port;
    this.#inspect = inspect;
    server.on('connection', (client) => this.#accept(client, serverPort));
    atEnd(() => this.close());
  }

  /** @param serverPort - of a server on this machine, which may start later */
  static async to(serverPort: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    return new TcpProxy(server, await startListening(server), serverPort);
  }

  /** The connections that are open, oldest first. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.#connections.keys()].filter(({ isOpen }) => isOpen);
  }

  /** Holds all bytes back, and passes them on once it is lifted. The end of a connection waits as well. */
  hold(scope: Scope = {}): Fault {
    return this.#begin({ ...scope, kind: 'hold', delayMs: 0 });
  }

  /** Loses all bytes. Whoever sent them is not told. */
  discard(scope: Scope = {}): Fault {
    return this.#begin({ ...scope, kind: 'discard', delayMs: 0 });
  }

  /** Passes bytes on after a time, in order. */
  delay(delayMs: number, scope: Scope = {}): Fault {
    return this.#begin({ ...scope, kind: 'delay', delayMs });
  }

  /** Resets connections at both ends (RST). New ones are accepted. */
  cut(of: Scope['of'] = () => true): void {
    for (const connection of this.connections.filter(of)) connection.cut();
  }

  /** Resets each new connection as soon as it is there. */
  refuse(): Fault {
    this.#refuses = true;
    return { lift: () => void (this.#refuses = false) };
  }

  close(): void {
    this.#server.close();
    for (const connection of this.#connections.keys()) connection.cut();
  }

  #begin(fault: ActiveFault): Fault {
    this.#faults.add(fault);
    const lift = (): void => {
      this.#faults.delete(fault);
      for (const flows of this.#connections.values()) flows.forEach((flow) => flow.pump());
    };
    return { lift };
  }

  #accept(client: Socket, serverPort: number): void {
    client.on('error', () => {});
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true });
    const connection = new ProxiedConnection(client, server);
    const flows = [
      this.#flow(connection, 'to-server', client, server),
      this.#flow(connection, 'to-client', server, client),
    ];
    this.#connections.set(connection, flows);
    const forget = (): void => {
      if (client.destroyed && server.destroyed) this.#connections.delete(connection);
    };
    client.once('close', forget);
    server.once('close', forget);
  }

  #flow(connection: ProxiedConnection, direction: Direction, from: Socket, to: Socket): Flow {
    const applying = (kind: ActiveFault['kind']): ActiveFault[] =>
      [...this.#faults].filter(
        (fault) =>
          fault.kind === kind &&
          (fault.direction ?? direction) === direction &&
          (fault.of?.(connection) ?? true),
      );
    return new Flow(from, to, {
      isHeld: () => applying('hold').length > 0,
      isDiscarding: () => applying('discard').length > 0,
      delayMs: () => applying('delay').reduce((sum, { delayMs }) => sum + delayMs, 0),
      inspect: (bytes) => this.#inspect?.(connection, direction, bytes) ?? { passed: bytes },
      cut: () => connection.cut(),
    });
  }
}
