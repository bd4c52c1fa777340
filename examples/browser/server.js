// A page that counts votes: open it twice and vote. Plain Node serves the page, and Fanfare does the rest.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { attach } from '@fanfare/server';

const page = readFileSync(new URL('index.html', import.meta.url));
const server = createServer((_request, response) =>
  response.setHeader('content-type', 'text/html').end(page),
);
await attach(server);

server.listen(process.env.PORT ?? 8001, '127.0.0.1', () => {
  console.log(`Open http://localhost:${server.address().port} in two windows, and vote`);
});
