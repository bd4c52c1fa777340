/**
 * The most packets in one answer to a poll. python-engineio ends its connection over more, and cannot be told from other
 * clients: an app chooses its `User-Agent` itself.
 */
export const packetsMax = 16;

/** The parts of an Engine.IO connection that this file uses; its buffer, and what its transport has to do, are not documented. */
export interface SplitConnection {
  readonly transport: {
    readonly name: string;
    /** Of a transport that is being closed: adds a packet of type close to the next answer, and is called then. */
    shouldClose?: (() => void) | null;
  };
  /** What waits for the next answer. */
  writeBuffer: readonly object[];
  prependOnceListener(event: 'drain', listener: () => void): void;
}

/**
 * Leaves at most 16 of the packets that an answer to a poll is about to take; the others wait for the next poll. To be called
 * for the event `flush`.
 *
 * @param packets - the connection's buffer
 */
export function splitAnswer(connection: SplitConnection, packets: object[]): void {
  const { transport } = connection;
  const { shouldClose } = transport;
  // The last answer of all has a packet of type close as well.
  if (packets.length + (shouldClose ? 1 : 0) <= packetsMax) return;
  const rest = packets.splice(packetsMax);
  if (shouldClose) transport.shouldClose = null;
  // Before others that wait for this event, and would find the buffer empty.
  connection.prependOnceListener('drain', () => {
    connection.writeBuffer = rest.concat(connection.writeBuffer);
    if (shouldClose) transport.shouldClose = shouldClose;
  });
}
