/** What is counted on the way of every message: whole numbers, so that counting costs nothing. */
export class Counters {
  /** How many messages the log's tail has brought. */
  publishes = 0;
  /**
   * How many deliveries that made: a message counts once for each connection and form that it was sent to. What waits for a
   * client that polls was not sent.
   */
  deliveries = 0;
  /** How many subscriptions are live. */
  live = 0;
}
