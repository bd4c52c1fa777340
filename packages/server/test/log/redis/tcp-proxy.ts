import { createServer, connect, type Socket } from 'node:net';
import { startListening } from '../../../../../test/waits.ts';

/** A TCP proxy that can fail in the ways of a network. */
export interface TcpProxy {
  readonly url: string;
  /** Cuts all connections. */
  cut(): void;
  /** Cuts the connection on which the next command with a text is sent, when Redis has answered it. */
  loseAnswerOf(text: string): void;
  /** Carries nothing from Redis any more on the present connections; they stay open. */
  silence(which: 'commands' | 'subscriber'): void;
  /** Accepts no connections, or does again. */
  refuse(isRefused: boolean): void;
  /** Whether an answer was lost since {@link loseAnswerOf}. */
  readonly hasLost: boolean;
  close(): Promise<void>;
}

export async function startProxy(port: number): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; redis: Socket; isSubscriber: boolean; isSilent: boolean }>();
  let lost: string | undefined;
  let hasLost = false;
  let isRefused = false;
  const server = createServer((client) => {
    if (isRefused) {
      client.resetAndDestroy();
      return;
    }
    const redis = connect(port, '127.0.0.1');
    const pair = { client, redis, isSubscriber: false, isSilent: false };
    let isLosing = false;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      redis.destroy();
    };
    client.on('data', (data: Buffer) => {
      if (data.includes('$9\r\nsubscribe\r\n')) pair.isSubscriber = true;
      if (lost !== undefined && data.includes(lost)) {
        isLosing = true;
        lost = undefined;
      }
      redis.write(data);
    });
    redis.on('data', (data: Buffer) => {
      if (isLosing) {
        hasLost = true;
        end();
      } else if (!pair.isSilent) client.write(data);
    });
    for (const socket of [client, redis]) socket.on('close', end).on('error', end);
  });
  const own = await startListening(server);
  const cut = (): void => {
    for (const { client, redis } of pairs) {
      client.resetAndDestroy();
      redis.destroy();
    }
  };
  return {
    url: `redis://127.0.0.1:${own}`,
    cut,
    loseAnswerOf: (text) => {
      hasLost = false;
      lost = text;
    },
    silence: (which) => {
      for (const pair of pairs) if (pair.isSubscriber === (which === 'subscriber')) pair.isSilent = true;
    },
    refuse: (refused) => (isRefused = refused),
    get hasLost() {
      return hasLost;
    },
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
