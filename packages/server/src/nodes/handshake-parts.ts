/** What both ends of a connection between nodes must know. */
export interface HandshakeParts {
  readonly key: Buffer;
  /** The id of the node that listens. */
  readonly listenerId: string;
}

/** How a node calls others. */
export interface CallerParts {
  readonly key: Buffer;
  readonly usesTls: boolean;
}
