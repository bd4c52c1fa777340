import { until } from '../../../../test/waits.ts';
import { publish } from '../harness.ts';
import type { Socket } from 'socket.io-client';

/**
 * The time after which a message counts as missing. A server that is not blocked needs a few milliseconds.
 */
const missedAfterMs = 10_000;

const topic = 'of a client that does nothing wrong';

/** A well-behaved client, which must get each message once and in order, whatever others do. */
export class GoodClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  #published = 0;
  #received = 0;
  #fault: string | undefined;
  #wake = (): void => {};

  private constructor(url: string, client: Socket, headers: Readonly<Record<string, string>>) {
    this.#url = url;
    this.#headers = headers;
    client.on(topic, ({ message }: { readonly message: unknown }) => {
      if (message !== this.#received) this.#fault ??= `${String(message)} came instead of ${this.#received}`;
      this.#received++;
      this.#wake();
    });
    client.on('disconnect', (reason) => {
      this.#fault ??= `a client that does nothing wrong was disconnected: ${reason}`;
      this.#wake();
    });
  }

  /** @param headers - has the token if one is needed to publish */
  static async of(
    url: string,
    client: Socket,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<GoodClient> {
    const good = new GoodClient(url, client, headers);
    await client.emitWithAck('subscribe', { topic });
    return good;
  }

  /** Publishes a message to itself. */
  async publish(): Promise<void> {
    const { status } = await publish(this.#url, { topic, message: this.#published++ }, this.#headers);
    if (status !== 200) this.#fault ??= `a publish was answered with ${status}`;
  }

  /** Undefined if all published messages have come, else the problem. */
  readonly complaint = async (): Promise<string | undefined> => {
    await this.publish();
    const hasAll = (): boolean => this.#received >= this.#published || this.#fault !== undefined;
    const step = (): Promise<void> => new Promise<void>((resolve) => (this.#wake = resolve));
    await until('the client gets what it published', hasAll, { step, ms: missedAfterMs }).catch(() => {
      this.#fault ??= `${this.#published - this.#received} messages did not come`;
    });
    return this.#fault;
  };
}
