/** Events of a client. Bytes are valid only during the call. */
export interface ClientEvents {
  /** A message came. The bytes from `start` to `end` are the whole delivery as the protocol carries it. */
  readonly onDelivery: (bytes: Buffer, start: number, end: number) => void;
  /** The server has accepted one publish of this client. Calls come in the order of the publishes. */
  readonly onAck: () => void;
  /** The connection ended, or the server refused something or broke the protocol. */
  readonly onFailure: (reason: string) => void;
}

/** One connection to a server, over which a client subscribes and publishes. */
export interface Client {
  /** Resolves once the server has confirmed all subscriptions. There is at least one. */
  subscribe(topics: readonly string[]): Promise<void>;
  /** Messages are ASCII text that JSON needs no escape for. */
  publish(topic: string, message: string): void;
  close(): void;
}

/** The part of a protocol that the benchmark uses. */
export interface Wire {
  /** Resolves once the server has accepted the client. */
  open(port: number, events: ClientEvents): Promise<Client>;
  /** The bytes with which a message arrives at a subscriber. */
  delivery(topic: string, message: string): Buffer;
  /** How many bytes of a delivery come after the message. */
  readonly bytesAfterMessage: number;
  /** The token of its clients, over HTTP too. */
  readonly token?: string;
}
