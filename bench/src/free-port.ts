import { once } from 'node:events';
import { createServer } from 'node:net';

/** Ports below those that operating systems hand out by themselves (from 32,768 at the earliest). */
const first = 20_000;
const count = 12_000;
const attemptsMax = 20;

/**
 * A port that nobody has, for a server that cannot choose one and say which, or that is started again where it
 * was. A port that the system chose would not do: it may choose that same one for others as soon as it is free.
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
