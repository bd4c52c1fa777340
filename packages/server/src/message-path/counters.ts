/** Counts what happens to messages on their way. */
export class Counters {
  /** The number of messages that the log's tail has brought. */
  publishes = 0;
  /**
   * The number of deliveries: a message counts once for each connection and form that it was sent to. To a client that
   * polls it counts as sent once a poll has taken it.
   */
  deliveries = 0;
  /** The number of live subscriptions. */
  live = 0;
}
