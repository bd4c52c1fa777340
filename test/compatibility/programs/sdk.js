// Subscribes with the SDK, publishes messages, and prints what it gets: node sdk.js URL
import { connect } from '@fanfare/client';

const fanfare = connect(process.argv[2] ?? '');
const subscription = fanfare.subscribe('orders/**');
await subscription.ready;
const items = ['tea', 'coffee', { milk: 2 }];
for (const [number, item] of items.entries()) await fanfare.publish(`orders/${number}`, item);
let missing = items.length;
for await (const { topic, message } of subscription) {
  console.log(topic, JSON.stringify(message));
  if (--missing === 0) break;
}
for await (const { topic, message } of fanfare.history('orders/1', { from: 'earliest' })) {
  console.log('history', topic, JSON.stringify(message));
}
fanfare.close();
