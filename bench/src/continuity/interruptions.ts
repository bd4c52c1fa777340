import { setTimeout as sleep } from 'node:timers/promises';
import type { CuttingProxy } from './cutting-proxy.ts';
import type { Transport } from './subscribers.ts';

/** How long and how often subscribers are interrupted. Times are in milliseconds. */
export interface Span {
  readonly cuts: number;
  readonly betweenMs: number;
  readonly cutMs: number;
  /** How long a laptop sleeps. */
  readonly sleepMs: number;
}

/** The actions of an interruption. */
export interface World {
  readonly proxy: CuttingProxy;
  readonly span: Span;
  /** Kills the server with SIGKILL and starts another on its port and its data. */
  readonly restartServer: () => Promise<void>;
  /** Stops or continues the process with the clients. */
  readonly signalClients: (signal: 'SIGSTOP' | 'SIGCONT') => void;
}

/** Something that happens to the subscribers while messages are published. */
export interface Interruption {
  readonly id: string;
  readonly about: string;
  readonly transport: Transport;
  /** Runs before the first subscriber connects. */
  readonly prepare?: (proxy: CuttingProxy) => void;
  readonly run: (world: World) => Promise<void>;
}

export const interruptions: readonly Interruption[] = [
  {
    id: 'reset',
    about: 'all connections get RST on both ends, and there are none for a while',
    transport: 'usual',
    run: cutting((proxy) => proxy.cut('reset')),
  },
  {
    id: 'half-open',
    about: 'the same, but the server is not told, and goes on writing into the void',
    transport: 'usual',
    run: cutting((proxy) => proxy.cut('half-open')),
  },
  {
    id: 'killed',
    about: 'the server gets SIGKILL, and is started again',
    transport: 'usual',
    run: async ({ span, restartServer }) => {
      for (let cut = 0; cut < span.cuts; cut++) {
        await sleep(span.betweenMs);
        await restartServer();
      }
      await sleep(span.betweenMs);
    },
  },
  {
    id: 'polling',
    about: 'resets, where there are no websockets',
    transport: 'polling',
    prepare: (proxy) => {
      proxy.refusesUpgrades = true;
    },
    run: cutting((proxy) => proxy.cut('reset')),
  },
  {
    id: 'mid-upgrade',
    about:
      'half-open cuts, after each of which the connections break for a while when they become websockets',
    transport: 'upgrade',
    run: async (world) => {
      const { proxy, span } = world;
      for (let cut = 0; cut < span.cuts; cut++) {
        await sleep(span.betweenMs / 2);
        proxy.breaksUpgrades = true;
        proxy.cut('half-open');
        await sleep(span.cutMs);
        proxy.mend();
        await sleep(span.betweenMs / 2);
        proxy.breaksUpgrades = false;
      }
      await sleep(span.betweenMs);
    },
  },
  {
    id: 'asleep',
    about: 'the process with the subscribers is stopped for a while (SIGSTOP)',
    transport: 'usual',
    run: async ({ span, signalClients }) => {
      await sleep(span.betweenMs);
      signalClients('SIGSTOP');
      await sleep(span.sleepMs);
      signalClients('SIGCONT');
      await sleep(span.betweenMs);
    },
  },
  {
    id: 'slow',
    about: 'the network lets half a kilobyte a second through to each client, and cuts them once',
    transport: 'usual',
    prepare: (proxy) => {
      proxy.bytesPerSecond = 512;
    },
    run: async ({ proxy, span }) => {
      await sleep(span.betweenMs * 2);
      proxy.cut('half-open');
      await sleep(span.cutMs);
      proxy.mend();
      await sleep(span.betweenMs * 2);
      proxy.bytesPerSecond = undefined;
    },
  },
];

function cutting(cut: (proxy: CuttingProxy) => void): Interruption['run'] {
  return async ({ proxy, span }) => {
    for (let done = 0; done < span.cuts; done++) {
      await sleep(span.betweenMs);
      cut(proxy);
      await sleep(span.cutMs);
      proxy.mend();
    }
    await sleep(span.betweenMs);
  };
}
