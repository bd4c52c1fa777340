// Fanfare inside an Express app: Socket.IO clients subscribe to `orders`, and the app publishes each order.
import { createServer } from 'node:http';
import { attach, FanfareError } from '@fanfare/server';
import express from 'express';

const app = express();
const server = createServer(app);
const fanfare = await attach(server);

app.post('/orders', express.json(), async (request, response) => {
  const order = { id: Date.now(), ...request.body };
  try {
    await fanfare.publish('orders', order);
  } catch (error) {
    // Nobody has ever subscribed to the topic: for an order that is no reason to fail.
    if (!(error instanceof FanfareError && error.code === 'topic_not_found')) throw error;
  }
  response.status(201).json(order);
});

server.listen(process.env.PORT ?? 5002, '127.0.0.1', () => {
  console.log(
    `Subscribe to the topic orders, then post an order to http://localhost:${server.address().port}/orders`,
  );
});

process.once('SIGTERM', async () => {
  await fanfare.stop();
  server.close();
});
