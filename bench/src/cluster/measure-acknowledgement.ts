import { randomUUID } from 'node:crypto';
import { Content } from '../load/content.ts';
import { ContentError } from '../load/checker.ts';
import type { Deadline } from '../load/deadline.ts';
import { percentile } from '../load/latencies.ts';
import { httpBatchWire } from '../wire/http-batches.ts';
import { SocketIoClient } from '../wire/socket-io.ts';
import type { AcknowledgementFigures, AcknowledgementJob } from './jobs.ts';
import { BareFunctions, openLog } from './redis-log.ts';

const topic = 'topic-0';

/** Publishes one message, and resolves to the time until its acknowledgement, in milliseconds. */
type PublishOne = (message: string) => Promise<number>;

/**
 * Measures one publish at a time. Kinds that are compared take turns, so that a busy machine delays all of
 * them.
 */
export async function measureAcknowledgement(
  job: AcknowledgementJob,
  deadline: Deadline,
): Promise<AcknowledgementFigures> {
  deadline.enter(() => 'publishes have no acknowledgement');
  for (const port of [job.nodePort, job.alonePort]) await httpBatchWire('memory').createTopic(port, topic);
  const bare = await BareFunctions.open(job.redisPort);
  try {
    return { ...(await insideNode(job, bare)), ...(await overWebSocket(job, bare, deadline)) };
  } finally {
    bare.close();
  }
}

async function insideNode(job: AcknowledgementJob, bare: BareFunctions): Promise<AcknowledgementFigures> {
  const { log } = await openLog(job.redisPort);
  const append: PublishOne = async (message) => {
    const record = { topic, messageJson: JSON.stringify(message) } as Parameters<
      typeof log.append
    >[0][number];
    const beganMs = performance.now();
    const [outcome] = await log.append([record]);
    const tookMs = performance.now() - beganMs;
    if (outcome?.kind !== 'appended' || outcome.stored !== 'memory')
      throw new ContentError(`The log has answered an append with ${JSON.stringify(outcome)}.`);
    return tookMs;
  };
  try {
    return await takeTurns(job, {
      'round trip of the function': roundTrip(bare, log),
      'append of the log, in process': append,
    });
  } finally {
    await log.close();
  }
}

async function overWebSocket(
  job: AcknowledgementJob,
  bare: BareFunctions,
  deadline: Deadline,
): Promise<AcknowledgementFigures> {
  const node = await openClient(job.nodePort, deadline);
  const alone = await openClient(job.alonePort, deadline);
  try {
    return await takeTurns(job, {
      'round trip again, without the log': roundTrip(bare, { epoch: '', head: 0 }),
      'websocket, node on Redis': node.publish,
      'websocket, server without Redis': alone.publish,
    });
  } finally {
    node.close();
    alone.close();
  }
}

/** @param seen - the log that says how far it is, as a node does in each call */
function roundTrip(bare: BareFunctions, seen: { readonly epoch: string; readonly head: number }): PublishOne {
  const node = randomUUID();
  let number = 0;
  return async (message) => {
    const reply = await bare.functions.append({
      node,
      number: ++number,
      seen: { epoch: seen.epoch, sequence: seen.head },
      validUntil: Date.now() + 60_000,
      records: [{ topic, messageJson: JSON.stringify(message) } as never],
    });
    if (reply.kind !== 'done') throw new ContentError(`The function has answered ${reply.kind}.`);
    return bare.roundTripMs;
  };
}

async function openClient(
  port: number,
  { fail }: Deadline,
): Promise<{ readonly publish: PublishOne; readonly close: () => void }> {
  let acknowledged = (): void => fail(new Error('A publisher got an acknowledgement for nothing.'));
  const client = await SocketIoClient.open(port, {
    onDelivery: () => fail(new Error('A publisher got a delivery.')),
    onAck: () => acknowledged(),
    onFailure: (reason) => fail(new Error(`A publisher: ${reason}.`)),
  });
  return {
    publish: (message) =>
      new Promise((resolve) => {
        const beganMs = performance.now();
        acknowledged = () => resolve(performance.now() - beganMs);
        client.publish(topic, message);
      }),
    close: () => client.close(),
  };
}

async function takeTurns(
  { messageBytes, perTurn, turns, warmUpTurns }: AcknowledgementJob,
  kinds: Readonly<Record<string, PublishOne>>,
): Promise<AcknowledgementFigures> {
  const content = new Content(messageBytes);
  const times = new Map(Object.keys(kinds).map((name): [string, number[]] => [name, []]));
  let published = 0;
  for (let turn = -warmUpTurns; turn < turns; turn++) {
    for (const [name, publish] of Object.entries(kinds)) {
      for (let count = 0; count < perTurn; count++) {
        const tookMs = await publish(content.message(published++));
        if (turn >= 0) times.get(name)?.push(tookMs);
      }
    }
  }
  return Object.fromEntries(
    [...times].map(([name, all]) => [name, { p50Ms: percentile(all, 50), p99Ms: percentile(all, 99) }]),
  );
}
