import { io, type Socket } from 'socket.io-client';
import { explainFailedConnection } from '../connection-errors.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import type { Target } from '../server-target.ts';
import type { Ledger } from './ledger.ts';
import type { Transport } from './plan.ts';

/** How many connect at once: a server may limit how many connections wait for their login. */
const atOnce = 32;

/** The lab contract does not require acknowledgements: without one, a subscription counts as accepted. */
const ackMs = 3_000;

/** The subscribers of a benchmark: plain clients of Socket.IO. */
export class Subscribers {
  readonly #target: Target;
  readonly #ledger: Ledger;
  readonly #topics: readonly string[];
  readonly #sockets: Socket[] = [];
  #isClosed = false;
  /** Whether the server acknowledged a subscription as only Fanfare does. */
  isFanfare = false;

  constructor(target: Target, topics: readonly string[], ledger: Ledger) {
    this.#target = target;
    this.#topics = topics;
    this.#ledger = ledger;
  }

  /**
   * Connects and subscribes all.
   *
   * @param onProgress - called with the number of those that have subscribed
   * @throws CommandError `unreachable`, or `refused` with the server's reason
   */
  async open(onProgress: (count: number) => void): Promise<void> {
    const { accounts } = this.#ledger;
    let next = 0;
    let count = 0;
    const openSome = async (): Promise<void> => {
      while (next < accounts.length && !this.#isClosed) {
        const subscriber = next++;
        const { topic, transport } = accounts[subscriber] ?? { topic: 0, transport: 'websocket' };
        await this.#open(subscriber, this.#topics[topic] ?? '', transport);
        onProgress(++count);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, accounts.length) }, openSome));
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.disconnect();
  }

  async #open(subscriber: number, topic: string, transport: Transport): Promise<void> {
    const { origin, socketPath, token, ca } = this.#target;
    const socket = io(origin, {
      path: socketPath,
      transports: [transport],
      forceNew: true,
      ...(token !== undefined && { auth: { token } }),
      ...(ca && { ca: [...ca] as unknown as string }),
    });
    this.#sockets.push(socket);
    socket.on(topic, (delivery: { message?: unknown } | undefined) =>
      this.#ledger.deliver(subscriber, delivery?.message),
    );
    await this.#connected(socket);
    await this.#subscribe(socket, topic);
    socket.on('connect', () => {
      this.#ledger.reconnects++;
      socket.emit('subscribe', { topic });
    });
  }

  /** @throws CommandError */
  async #connected(socket: Socket): Promise<void> {
    type Failure = Error & { readonly data?: { readonly code?: unknown } };
    const failure = await new Promise<Failure | undefined>((resolve) => {
      socket.once('connect', () => resolve(undefined));
      socket.once('connect_error', resolve);
    });
    if (!failure) return;
    // Socket.IO would try again by itself.
    socket.disconnect();
    const { message, data } = failure;
    throw await explainFailedConnection(this.#target, message, codeIn(data));
  }

  /** @throws CommandError */
  async #subscribe(socket: Socket, topic: string): Promise<void> {
    const answer: unknown = await new Promise((resolve) => {
      socket.timeout(ackMs).emit('subscribe', { topic }, (_late: unknown, value: unknown) => resolve(value));
    });
    const { ok, error } = (answer ?? {}) as { ok?: unknown; error?: { detail?: unknown } };
    if (ok === true) this.isFanfare = true;
    if (ok === false) {
      const reason = typeof error?.detail === 'string' ? error.detail : 'the server gave no reason.';
      throw new CommandError(exitCodes.refused, `Failed to subscribe to topic '${topic}': ${reason}`);
    }
  }
}

/** The code of a refusal. Without one, the failure is of the network, or of a server that has no codes. */
function codeIn(data: { readonly code?: unknown } | undefined): string | undefined {
  return typeof data?.code === 'string' ? data.code : undefined;
}
