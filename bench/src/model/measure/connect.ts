import type { SocketIoClient } from '../../wire/socket-io.ts';
import { Audience, BatchPublisher, createTopics, webSocketTo } from '../load.ts';
import { cpuUsOf, startNodes, type Nodes } from '../nodes.ts';
import { partsOf, textOf, type Measurement, type Sample } from './sample.ts';

const connections = 500;
const subscriptions = 8;
/** Each has messages that a client resumes after. */
const resumedTopics = 200;
const messagesEach = 10;

interface PerClient {
  readonly node: number;
  readonly redis: number;
}

/** Connecting, subscribing, and resuming. */
export const connect: Measurement = {
  name: 'connect',
  run: async (processes): Promise<Sample> => {
    const nodes = await startNodes(processes, 1);
    try {
      const offsets = await storeMessages(nodes);
      const live = await freshRun(nodes, nodes.all[0]?.port ?? 0);
      await live(async () => {});
      const bare = await live(async () => {});
      const subscribed = await live((client) => client.subscribe(topicsOf(0)));
      const ring = await live(resumeFrom(offsets));
      // A node that starts later has none of these messages in memory.
      const later = await nodes.add();
      const other = await freshRun(nodes, later.port);
      await other((client) => client.subscribe(topicsOf(0)));
      const stored = await other(resumeFrom(offsets));
      return {
        nodeConnectUs: bare.node,
        nodeSubscribeUs: (subscribed.node - bare.node) / subscriptions,
        redisOpenUs: (subscribed.redis - bare.redis) / subscriptions,
        nodeResumeUs: ring.node - bare.node - (subscribed.node - bare.node) / subscriptions,
        redisResumeUs: stored.redis - ring.redis,
        nodeResumeStoredUs: stored.node - ring.node,
      };
    } finally {
      await nodes.stop();
    }
  },
};

function topicsOf(index: number): string[] {
  return Array.from({ length: subscriptions }, (_, at) => `resumed-${(index + at) % resumedTopics}`);
}

/** @returns for each topic the offset of its first message */
async function storeMessages({ all }: Nodes): Promise<readonly string[]> {
  const names = Array.from({ length: resumedTopics }, (_, at) => `resumed-${at}`);
  const port = all[0]?.port ?? 0;
  await createTopics(port, names);
  const publisher = new BatchPublisher(port);
  const first: string[] = [];
  for (let message = 0; message <= messagesEach; message++) {
    const one = names.map((topic) => ({ topic, text: textOf(message, 256) }));
    for (const part of partsOf(one, 100)) {
      const offsets = await publisher.publish(part);
      if (message === 0) first.push(...offsets);
    }
  }
  publisher.close();
  return first;
}

function resumeFrom(offsets: readonly string[]): (client: SocketIoClient, index: number) => Promise<void> {
  return async (client, index) => {
    const at = index % resumedTopics;
    await client.subscribeFrom(`resumed-${at}`, JSON.stringify(offsets[at]));
  };
}

/** Connects clients, and measures what each costs. Those that resume wait for their messages too. */
async function freshRun(
  { redis, all }: Nodes,
  port: number,
): Promise<(begin: (client: SocketIoClient, index: number) => Promise<void>) => Promise<PerClient>> {
  const node = all.find((each) => each.port === port);
  if (!node) throw new Error('No node has this port.');
  return async (begin) => {
    const audience = new Audience();
    try {
      const [nodeUs = 0, redisUs = 0] = await cpuUsOf([node, redis], async () => {
        await audience.grow(webSocketTo(port), connections, begin);
        // Subscriptions with a start get their messages in later turns.
        if (begin.length === 2) await audience.until(connections * messagesEach);
      });
      return { node: nodeUs / connections, redis: redisUs / connections };
    } finally {
      audience.close();
    }
  };
}
