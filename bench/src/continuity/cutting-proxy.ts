import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * How connections are cut:
 *
 * - `reset`: both ends get RST
 * - `half-open`: only the client's end does. The server is not told, and goes on writing into the void
 */
export type Cut = 'reset' | 'half-open';

/** How often a slow connection gets some of the bytes that wait for it. */
const sliceMs = 50;

/** How a positive acknowledgement begins, over every transport. */
const accepted = '[{"ok":true';

/** The connection of a client, and that to the server. */
interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** A TCP proxy that can cut and slow down the connections to a server, and prevent websockets. */
export class CuttingProxy {
  readonly port: number;
  /** Whether websocket upgrades are reset. */
  refusesUpgrades = false;
  /** Whether websocket upgrades are reset shortly after they went through. */
  breaksUpgrades = false;
  /** How much a connection passes on to its client. Undefined if everything. */
  bytesPerSecond: number | undefined;
  /** How many more acknowledgements are lost, each with its connection. It counts down. */
  acksToLose = 0;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #isCut = false;
  #isHeld = false;

  private constructor(server: Server, port: number, serverPort: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (near) => this.#open(near, serverPort));
  }

  /** @param serverPort - the port of the server, which may start later */
  static async to(serverPort: number): Promise<CuttingProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    return new CuttingProxy(server, port, serverPort);
  }

  /** Cuts all connections, and accepts no new ones until `mend` is called. */
  cut(how: Cut): void {
    this.#isCut = true;
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.unpipe(near);
      if (how === 'reset') far.resetAndDestroy();
      else far.resume();
    }
  }

  /**
   * Holds back all bytes in both directions until `mend` is called. Connections stay, and new ones are
   * accepted. Not for connections that are slow.
   */
  hold(): void {
    this.#isHeld = true;
    for (const pair of this.#pairs) holdPair(pair);
  }

  /** Ends what `cut` or `hold` began. */
  mend(): void {
    this.#isCut = false;
    if (!this.#isHeld) return;
    this.#isHeld = false;
    for (const pair of this.#pairs) letGo(pair);
  }

  close(): void {
    this.#server.close();
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  #open(near: Socket, serverPort: number): void {
    near.on('error', () => {});
    if (this.#isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(serverPort, '127.0.0.1');
    const pair = { near, far };
    this.#pairs.add(pair);
    far.on('error', () => {});
    // A cut does not touch the connection to the server, which ends with the server.
    far.once('close', () => {
      near.destroy();
      this.#pairs.delete(pair);
    });
    near.once('end', () => far.end());
    near.once('close', () => {
      if (!this.#isCut) far.destroy();
    });
    near.on('data', (chunk: Buffer) => this.#pass(chunk, pair));
    this.#passBack(pair);
    if (this.#isHeld) holdPair(pair);
  }

  #pass(chunk: Buffer, { near, far }: Pair): void {
    const text = chunk.toString('latin1');
    const isUpgrade = /^GET [^\r]*\r\n(?:[^\r]*\r\n)*upgrade: websocket/i.test(text);
    if (isUpgrade && this.refusesUpgrades) {
      near.resetAndDestroy();
      return;
    }
    // Acknowledgements could not be found in compressed bytes.
    if (this.acksToLose > 0) far.write(text.replace(/^accept-encoding:/im, 'x-$&'), 'latin1');
    else far.write(chunk);
    if (isUpgrade && this.breaksUpgrades) far.once('data', () => near.resetAndDestroy());
  }

  #passBack({ near, far }: Pair): void {
    if (this.bytesPerSecond === undefined) {
      // Before the pipe, which would have written the acknowledgement.
      far.on('data', (chunk: Buffer) => {
        if (this.acksToLose === 0 || !chunk.includes(accepted)) return;
        this.acksToLose--;
        near.resetAndDestroy();
      });
      far.pipe(near);
      return;
    }
    const slice = Math.ceil((this.bytesPerSecond * sliceMs) / 1_000);
    const timer = setInterval(() => {
      // Everything, once the connection is not slow any more.
      const piece = (far.read(this.bytesPerSecond === undefined ? undefined : slice) ??
        far.read()) as Buffer | null;
      if (piece) near.write(piece);
    }, sliceMs);
    far.pause();
    far.once('close', () => clearInterval(timer));
  }
}

function holdPair({ near, far }: Pair): void {
  near.pause();
  far.unpipe(near);
  far.pause();
}

function letGo({ near, far }: Pair): void {
  if (near.destroyed) return;
  near.resume();
  far.pipe(near);
}
