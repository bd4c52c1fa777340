/** Counters of the message path. */
export class Counters {
  /** The number of messages that the log has appended for the clients of this server. */
  publishes = 0;
  /**
   * The number of deliveries. A message counts once for each connection and form that it was sent to. For a
   * polling client, a message counts when a poll has taken it.
   */
  deliveries = 0;
  /** The number of live subscriptions. */
  live = 0;
}
