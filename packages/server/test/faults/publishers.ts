import { io, type Socket } from 'socket.io-client';
import { soonMs, within } from '../../../../test/waits.ts';
import type { Outcome } from './history.ts';
import { outcomeOf, publishHttp, type PublishRequest } from './http.ts';
import type { Random } from './random.ts';
import { connectTimeoutMs } from './subscriber.ts';
import type { World } from './world.ts';

/**
 * Publishes what the world grants until it ends, then retries until every message with an id is acknowledged.
 */
export type Publisher = (world: World, name: string, random: Random) => Promise<void>;

/** Publishes one message after the other over HTTP. */
export const publishSingly: Publisher = async (world, name, random) => {
  const next = numbered(world, name, random);
  for (;;) {
    await world.granted();
    if (world.isEnding) return;
    const request = next();
    let isSettled = false;
    while (!isSettled) {
      const url = await world.url();
      const answered = world.send(attemptOf(name, request));
      const [outcome = { kind: 'unknown' }] = await publishHttp(url, request, world.stored);
      answered(outcome);
      isSettled = settles(outcome, request);
      if (!isSettled) await world.backOff();
    }
  }
};

/** Publishes arrays of messages over HTTP. */
export const publishBatches: Publisher = async (world, name, random) => {
  const next = numbered(world, name, random);
  let waiting: PublishRequest[] = [];
  for (let batch = 0; !world.isEnding || waiting.length > 0; batch++) {
    await world.granted();
    if (!world.isEnding) waiting.push(...Array.from({ length: random.between(1, 12) }, next));
    if (waiting.length === 0) return;
    const requests = waiting;
    const url = await world.url();
    const answers = requests.map((request) => world.send(attemptOf(name, request, `batch ${batch}`)));
    const outcomes = await publishHttp(url, requests, world.stored);
    outcomes.forEach((outcome, at) => answers[at]?.(outcome));
    waiting = requests.filter((request, at) => !settles(outcomes[at], request));
    if (waiting.length > 0) await world.backOff();
  }
};

/** Publishes over Socket.IO, several messages at once. */
export function publishEvents(transport: 'websocket' | 'polling'): Publisher {
  return async (world, name, random) => {
    const next = numbered(world, name, random);
    let waiting: PublishRequest[] = [];
    for (let connection = 0; !world.isEnding || waiting.length > 0; connection++) {
      const client = await connect(await world.url(), transport);
      if (!client) await world.backOff();
      else {
        waiting = await publishOver(world, client, `${name} connection ${connection}`, waiting, next, random);
        client.close();
      }
    }
  };
}

/** Publishes over one connection until it or the world ends. Returns the messages that need a retry. */
async function publishOver(
  world: World,
  client: Socket,
  stream: string,
  again: readonly PublishRequest[],
  next: () => PublishRequest,
  random: Random,
): Promise<PublishRequest[]> {
  const name = stream.split(' connection ')[0] ?? stream;
  const queue = [...again];
  const pending = new Map<PublishRequest, (outcome: Outcome) => void>();
  const failed: PublishRequest[] = [];
  let wake = (): void => {};
  client.once('disconnect', () => {
    for (const [request, answered] of pending) {
      answered({ kind: 'unknown' });
      if (request.id !== undefined) failed.push(request);
    }
    pending.clear();
    wake();
  });
  const send = (request: PublishRequest): void => {
    pending.set(request, world.send(attemptOf(name, request, stream)));
    client.emit('publish', request, (answer: Parameters<typeof outcomeOf>[0]) => {
      const outcome = outcomeOf(answer, world.stored);
      pending.get(request)?.(outcome);
      pending.delete(request);
      if (!settles(outcome, request)) failed.push(request);
      wake();
    });
  };
  while (client.connected && (!world.isEnding || queue.length + pending.size > 0)) {
    if (queue.length === 0) await world.granted();
    const burst = world.isEnding ? 0 : random.between(1, 6);
    while (queue.length < burst) queue.push(next());
    if (!client.connected || queue.length + pending.size === 0) continue;
    for (const request of queue.splice(0)) send(request);
    const isChanged = new Promise<void>((resolve) => void (wake = resolve));
    await within(soonMs * 2, 'a publish is answered, or the connection is lost', isChanged);
    if (failed.length > 0) await world.backOff();
    queue.push(...failed.splice(0));
  }
  return [...failed, ...queue];
}

async function connect(url: string, transport: 'websocket' | 'polling'): Promise<Socket | undefined> {
  const client = io(url, {
    transports: [transport],
    forceNew: true,
    reconnection: false,
    timeout: connectTimeoutMs,
  });
  const outcome = new Promise<boolean>((resolve) => {
    client.once('connect', () => resolve(true));
    client.once('connect_error', () => resolve(false));
    // This event alone reports a server that dies before the login.
    client.once('disconnect', () => resolve(false));
  });
  const isConnected = await within(soonMs, 'a publisher connects, or is told why not', outcome);
  if (isConnected && client.connected) return client;
  client.close();
  return undefined;
}

/** Makes the messages of a publisher, all different. Messages without an id are not retried. */
function numbered(world: World, name: string, random: Random): () => PublishRequest {
  let number = 0;
  return () => {
    number++;
    const padding = 'x'.repeat(random.isOneIn(10) ? random.below(6000) : random.below(60));
    const id = random.isOneIn(8) ? {} : { id: `${name} ${number}` };
    return { topic: random.pick(world.topics), message: { from: name, number, padding }, ...id };
  };
}

function attemptOf(
  publisher: string,
  { topic, message, id }: PublishRequest,
  stream?: string,
): Parameters<World['send']>[0] {
  return {
    publisher,
    topic,
    content: JSON.stringify(message),
    ...(id !== undefined && { id }),
    ...(stream !== undefined && { stream: stream.startsWith(publisher) ? stream : `${publisher} ${stream}` }),
  };
}

/** Messages with an id are retried after a failure or an unknown outcome. */
function settles(outcome: Outcome | undefined, { id }: PublishRequest): boolean {
  return outcome?.kind === 'ok' || id === undefined;
}
