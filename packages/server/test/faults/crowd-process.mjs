// Thousands of small subscribers in a process of their own: stock clients would need most of the machine. It
// reports when all are subscribed, and on request what they have got.
import { StormClient } from '../../../../bench/dist/continuity/storm-client.js';

const { port, topics, count } = /** @type {{ port: number, topics: string[], count: number }} */ (
  JSON.parse(process.argv[2] ?? '')
);
/** How many clients connect at once, as they come without an interruption. */
const connectingAtOnce = 100;
/** @type {StormClient[]} */
const clients = [];

function grow() {
  if (clients.some(({ subscribed }) => subscribed === 0)) return;
  if (clients.length === count) process.send?.('subscribed');
  for (let more = 0; more < connectingAtOnce && clients.length < count; more++) {
    const client = new StormClient(
      port,
      // Only the first acknowledgement lets others connect.
      () => client.subscribed === 1 && client.received.length === 0 && grow(),
      topics[clients.length % topics.length],
    );
    clients.push(client);
  }
}

process.on('message', () => {
  process.send?.(clients.map(({ received, subscribed, isUnsure }) => ({ received, subscribed, isUnsure })));
});
process.on('disconnect', () => process.exit());
grow();
