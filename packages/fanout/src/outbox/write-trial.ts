import { randomBytes } from 'node:crypto';
import { on, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { DirectWrites, observeWrite, type WriteCall } from './direct-writes.ts';
import { Frame, HeldFrames } from './frame.ts';
import { KernelWriter } from './kernel-writer.ts';

/** Both ends of a TCP connection that is used only for the trial. */
export interface Pair {
  /** It does not read. */
  readonly writer: Socket;
  readonly reader: Socket;
}

export interface TrialOptions {
  /** @param signal - aborts when it is too late for a connection */
  readonly open?: (signal: AbortSignal) => Promise<Pair>;
  /** How long the trial can take. 30 seconds by default, because an app can be busy while it starts. */
  readonly timeoutMs?: number;
}

/**
 * Proves that handles can be written to directly. The proof uses a loopback connection, and the functions
 * that deliver afterwards. It tries writes that the kernel takes at once, takes later, refuses at once, and
 * refuses later.
 *
 * @returns how to write to the handles of this Node
 * @throws Error that names the unexpected behaviour
 */
export async function proveDirectWrites(options: TrialOptions = {}): Promise<WriteCall> {
  const { open = openLoopback, timeoutMs = 30_000 } = options;
  const controller = new AbortController();
  const opening = open(controller.signal);
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    const error = new Error(`the trial did not end within ${timeoutMs} ms`);
    timer = setTimeout(() => reject(error), timeoutMs).unref();
  });
  try {
    return await Promise.race([opening.then(async (pair) => new Trial(pair).run()), tooLate]);
  } finally {
    clearTimeout(timer);
    controller.abort();
    void opening.then(destroy, () => {});
  }
}

function destroy({ writer, reader }: Pair): void {
  writer.destroy();
  reader.destroy();
}

const smallBytes = 1_024;
const largeBytes = 256 * smallBytes;

/** A kernel takes some 4 MiB for a reader that does not read. No kernel is configured to take 64 MiB. */
const largeWritesMax = 256;

class Trial {
  readonly #pair: Pair;
  readonly #direct = new DirectWrites();
  readonly #kernel: KernelWriter;
  readonly #received: Received;
  /** The sent data is this text again and again. */
  readonly #small: Buffer = randomBytes(smallBytes);
  readonly #large: Frame = new Frame(Buffer.alloc(largeBytes, this.#small));
  #sentBytes = 0;

  constructor(pair: Pair) {
    this.#pair = pair;
    this.#kernel = new KernelWriter(pair.writer, this.#direct, new HeldFrames());
    this.#received = new Received(pair.reader, this.#small);
  }

  async run(): Promise<WriteCall> {
    const { writer, reader } = this.#pair;
    for (const socket of [writer, reader]) socket.on('error', () => {});
    const call = observeWrite(writer, this.#small);
    this.#sentBytes += smallBytes;
    this.#direct.use(call);
    if (!this.#direct.handleOf(writer)) throw new Error('the handle does not count bytes');
    await this.#writeAtOnce();
    await this.#writeLater();
    await this.#failAtOnce();
    await this.#failLater();
    return call;
  }

  async #writeAtOnce(): Promise<void> {
    this.#write(new Frame(this.#small));
    if (this.#kernel.isBlocked) throw new Error('a small write is not complete at once');
    this.#expectAllTaken();
    await this.#received.all(this.#sentBytes);
  }

  async #writeLater(): Promise<void> {
    const { drained } = await this.#fill();
    this.#pair.reader.resume();
    await drained;
    this.#expectAllTaken();
    await this.#received.all(this.#sentBytes);
  }

  /** A handle that was shut down takes no more data. */
  async #failAtOnce(): Promise<void> {
    const { reader } = this.#pair;
    const handle = this.#direct.handleOf(reader);
    reader.end();
    await once(reader, 'finish');
    const error = handle && this.#direct.write(handle, this.#small);
    if (!Number.isInteger(error) || (error as number) >= 0) throw new Error('a write does not fail at once');
  }

  /** A reader that leaves without having read resets the connection. */
  async #failLater(): Promise<void> {
    const { writer, reader } = this.#pair;
    const { drained } = await this.#fill();
    const failed = once(writer, 'error') as Promise<[NodeJS.ErrnoException]>;
    reader.destroy();
    const [error] = await Promise.race([failed, drained.then(() => [undefined])]);
    if (error?.syscall !== 'write' || !error.code?.startsWith('E'))
      throw new Error('a write does not fail later');
  }

  /** Writes until the kernel takes no more. `drained` resolves once it has taken all. */
  async #fill(): Promise<{ readonly drained: Promise<void> }> {
    this.#pair.reader.pause();
    for (let i = 0; i < largeWritesMax; i++) {
      this.#write(this.#large);
      const drained = new Promise<void>((resolve) => {
        if (this.#kernel.isBlocked) this.#kernel.onceDrained(resolve);
      });
      // The kernel can take the rest after all. Then the write is complete soon, and the next one is tried.
      await turn();
      if (this.#kernel.isBlocked && this.#isAllTaken) await turn();
      if (this.#kernel.isBlocked && !this.#isAllTaken) return { drained };
      if (this.#kernel.isBlocked) throw new Error('a write that was taken is not complete');
      this.#expectAllTaken();
    }
    throw new Error('no write is ever queued');
  }

  #write(frame: Frame): void {
    this.#sentBytes += frame.buffer.length;
    this.#kernel.write(frame);
  }

  get #isAllTaken(): boolean {
    return this.#kernel.takenBytes === this.#sentBytes;
  }

  #expectAllTaken(): void {
    if (!this.#isAllTaken) throw new Error('a write is reported as complete before it is');
  }
}

/** The data that arrives at the reader. */
class Received {
  readonly #reader: Socket;
  readonly #text: Buffer;
  #bytes = 0;
  #isAsSent = true;

  /** @param text - the data must be this text again and again */
  constructor(reader: Socket, text: Buffer) {
    this.#reader = reader;
    this.#text = text;
    reader.on('data', (data: Buffer) => this.#compare(data));
  }

  /** @param bytes - the number of sent bytes */
  async all(bytes: number): Promise<void> {
    while (this.#bytes < bytes) await once(this.#reader, 'data');
    if (!this.#isAsSent || this.#bytes > bytes) throw new Error('bytes do not arrive as they were written');
  }

  #compare(data: Buffer): void {
    const text = this.#text;
    for (let at = 0; at < data.length;) {
      const from = this.#bytes % text.length;
      const to = Math.min(text.length, from + data.length - at);
      if (data.compare(text, from, to, at, at + to - from) !== 0) this.#isAsSent = false;
      at += to - from;
      this.#bytes += to - from;
    }
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** A connection of this process with itself, which does not keep it alive. */
async function openLoopback(signal: AbortSignal): Promise<Pair> {
  const host = '127.0.0.1';
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).unref();
  // In a cluster, other workers would get some of the connections.
  server.listen({ host, port: 0, exclusive: true });
  await once(server, 'listening', { signal });
  const accepted = on(server, 'connection', { signal }) as AsyncIterable<[Socket]>;
  const { port } = server.address() as AddressInfo;
  const reader = connect({ host, port, allowHalfOpen: true }).unref();
  reader.on('error', () => {});
  try {
    await once(reader, 'connect', { signal });
    for await (const [writer] of accepted) {
      if (writer.remotePort === reader.localPort) return { writer: writer.unref(), reader };
      // Another program has connected.
      writer.destroy();
    }
    throw new Error('the loopback connection was not accepted');
  } catch (error) {
    reader.destroy();
    throw error;
  } finally {
    server.close();
  }
}
