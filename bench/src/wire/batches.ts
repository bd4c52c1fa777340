/** What became of the messages of a batch; `undefined` where the system does not say. */
export interface BatchAnswer {
  /** Of each message where it is in the server's log, from 1 on; undefined when it is not stored, or that is not told. */
  readonly sequences: readonly number[] | undefined;
}

export interface BatchEvents {
  /** All messages of the batch are accepted and as safe as the system is to make them. */
  readonly onAnswer: (answer: BatchAnswer) => void;
  readonly onFailure: (reason: string) => void;
}

/** One connection that publishes many messages at once, one batch after the other. */
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
  /** Makes a topic that can be published to. */
  createTopic(port: number, topic: string): Promise<void>;
  /** How many messages of the topic the server keeps. */
  count(port: number, topic: string): Promise<number>;
}
