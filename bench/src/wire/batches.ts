/** The answer to a batch. A field is undefined if the system does not report it. */
export interface BatchAnswer {
  /**
   * The place of each message in the server's log, from 1 on. Undefined if messages are not stored, or their
   * places not reported.
   */
  readonly sequences: readonly number[] | undefined;
}

export interface BatchEvents {
  /** All messages of the batch are accepted, and stored as durably as the system is configured to. */
  readonly onAnswer: (answer: BatchAnswer) => void;
  readonly onFailure: (reason: string) => void;
}

/** A connection that publishes many messages at once, one batch after the other. */
export interface BatchPublisher {
  /** Messages are ASCII text that JSON needs no escape for. */
  publish(topic: string, messages: readonly string[]): void;
  close(): void;
}

/** How batches are published to a system. */
export interface BatchWire {
  /** Whether the server keeps what was published. */
  readonly isStored: boolean;
  open(port: number, events: BatchEvents): BatchPublisher;
  /** Creates a topic, so that publishes to it are accepted. */
  createTopic(port: number, topic: string): Promise<void>;
  /** How many messages of the topic the server keeps. */
  count(port: number, topic: string): Promise<number>;
}
