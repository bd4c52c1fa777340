/** What a client tells whoever opened it. Bytes are valid during the call only. */
export interface ClientEvents {
  /** One message came: `bytes` from `start` to `end` are all that the protocol carries of it. */
  readonly onDelivery: (bytes: Buffer, start: number, end: number) => void;
  /** The server has accepted one publish of this client; they come in the order of the publishes. */
  readonly onAck: () => void;
  /** The connection ended, or the server refused or said something that it should not. */
  readonly onFailure: (reason: string) => void;
}

/** One connection to a server, over which a client subscribes and publishes. */
export interface Client {
  /** Resolves once the server has confirmed every one. There is at least one. */
  subscribe(topics: readonly string[]): Promise<void>;
  /** Messages are ASCII text that JSON needs no escape for. */
  publish(topic: string, message: string): void;
  close(): void;
}

/** A protocol, as far as the benchmark speaks it. */
export interface Wire {
  /** Resolves once the server has taken the client. */
  open(port: number, events: ClientEvents): Promise<Client>;
  /** The bytes with which a message arrives at a subscriber. */
  delivery(topic: string, message: string): Buffer;
  /** How many bytes of a delivery come after the message. */
  readonly bytesAfterMessage: number;
  /** What its clients sign in with, over HTTP too. */
  readonly token?: string;
}
