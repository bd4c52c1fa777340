import { once } from 'node:events';
import { createServer } from 'node:net';

/** Ports below those that operating systems hand out by themselves (from 32,768 at the earliest). */
const first = 20_000;
const count = 12_000;
const attemptsMax = 20;

/**
 * Finds a free port, for a server that cannot choose and report one, or that is started again on the same
 * port. A port that the system chose would not do: the system may give it to others as soon as it is free.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const port = first + Math.floor(Math.random() * count);
    if (await isFree(port)) return port;
  }
  throw new Error(`None of ${attemptsMax} ports from ${first} on was free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
