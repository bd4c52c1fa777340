// Fanfare in an Express app: Socket.IO clients subscribe to `orders`, and the app publishes each order.
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
    // The topic does not exist until a client has subscribed to it. The order is valid in any case.
    if (!(error instanceof FanfareError && error.code === 'topic_not_found')) throw error;
  }
  response.status(201).json(order);
});

server.listen(process.env.PORT ?? 8002, '127.0.0.1', () => {
  const url = `http://localhost:${server.address().port}`;
  console.log(`Subscribe:  npx fanfare sub orders --url ${url}`);
  console.log(`Order:      curl ${url}/orders -H 'Content-Type: application/json' -d '{"item": "tea"}'`);
});

process.once('SIGTERM', async () => {
  await fanfare.stop();
  server.close();
});
