import { HttpConnection } from '../wire/http.ts';
import { SocketIoClient } from '../wire/socket-io.ts';
import type { Client, ClientEvents } from '../wire/client.ts';

/** A message for a topic. */
export interface Message {
  readonly topic: string;
  readonly text: string;
  readonly id?: string;
}

/** Publishes batches over one connection, one after the other. */
export class BatchPublisher {
  readonly #http: HttpConnection;
  #settle: { readonly resolve: (body: string) => void; readonly reject: (error: Error) => void } | undefined;

  constructor(port: number) {
    this.#http = new HttpConnection(port, {
      onResponse: (status, bytes, start, end) => {
        const body = bytes.toString('latin1', start, end);
        if (status === 200 && !body.includes('"ok":false')) this.#settle?.resolve(body);
        else
          this.#settle?.reject(new Error(`The server answered a batch with ${status} ${body.slice(0, 300)}`));
      },
      onFailure: (reason) => this.#settle?.reject(new Error(reason)),
    });
  }

  /** @returns the offsets of the messages */
  async publish(messages: readonly Message[]): Promise<readonly string[]> {
    const body = await new Promise<string>((resolve, reject) => {
      this.#settle = { resolve, reject };
      const items = messages.map(({ topic, text, id }) => ({
        topic,
        message: text,
        ...(id !== undefined && { id }),
      }));
      this.#http.post('/publish', 'application/json', JSON.stringify(items));
    });
    return (JSON.parse(body) as { readonly offset: string }[]).map(({ offset }) => offset);
  }

  close(): void {
    this.#http.close();
  }
}

const connectingAtOnce = 16;

/** Connects a client with a WebSocket. */
export function webSocketTo(port: number): (events: ClientEvents) => Promise<SocketIoClient> {
  return (events) => SocketIoClient.open(port, events);
}

/** Subscribers that count what they get. */
export class Audience {
  readonly clients: Client[] = [];
  /** Deliveries so far, for each client. */
  readonly received: number[] = [];
  #deliveries = 0;
  #bytes = 0;
  #wanted = Infinity;
  #onWanted = (): void => {};
  #failure: Error | undefined;
  #onFailure = (_error: Error): void => {};

  /** All that came, in messages. */
  get deliveries(): number {
    return this.#deliveries;
  }

  /** All that came, without the heads of WebSocket frames. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Connects clients.
   *
   * @param open - connects one
   * @param begin - what a client does before the next one takes its turn, for example subscribe
   */
  async grow<C extends Client>(
    open: (events: ClientEvents) => Promise<C>,
    count: number,
    begin: (client: C, index: number) => Promise<void>,
  ): Promise<void> {
    let left = count;
    const openSome = async (): Promise<void> => {
      while (left-- > 0) {
        const index = this.received.push(0) - 1;
        const client = await open({
          onDelivery: (_bytes, start, end) => this.#take(index, end - start),
          onAck: () => this.#fail('A subscriber got an acknowledgement.'),
          onFailure: (reason) => this.#fail(`A subscriber failed: ${reason}.`),
        });
        this.clients.push(client);
        await begin(client, index);
      }
    };
    await Promise.all(Array.from({ length: Math.min(count, connectingAtOnce) }, openSome));
  }

  /** Resolves once so many deliveries have come in all. */
  async until(deliveries: number, timeoutMs = 60_000): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#deliveries >= deliveries) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new Error(`${this.#deliveries} of ${deliveries} deliveries came in ${timeoutMs / 1e3} s.`)),
        timeoutMs,
      );
      this.#wanted = deliveries;
      this.#onWanted = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#onFailure = (error) => {
        clearTimeout(timer);
        reject(error);
      };
    });
    this.#wanted = Infinity;
  }

  close(): void {
    for (const client of this.clients) client.close();
  }

  #take(index: number, bytes: number): void {
    this.received[index] = (this.received[index] ?? 0) + 1;
    this.#bytes += bytes;
    if (++this.#deliveries >= this.#wanted) this.#onWanted();
  }

  #fail(reason: string): void {
    this.#failure ??= new Error(reason);
    this.#onFailure(this.#failure);
  }
}

/** Creates topics. */
export async function createTopics(port: number, topics: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let at = 0;
    const next = (): void => {
      const topic = topics[at++];
      if (topic === undefined) {
        http.close();
        resolve();
      } else http.put(`/topics/${topic}`);
    };
    const http = new HttpConnection(port, {
      onResponse: (status, bytes, start, end) => {
        if (status < 300) next();
        else
          reject(new Error(`A topic could not be created: ${status} ${bytes.toString('utf8', start, end)}`));
      },
      onFailure: (reason) => reject(new Error(reason)),
    });
    next();
  });
}
