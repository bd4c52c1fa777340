import type { Deadline } from '../load/deadline.ts';
import { Meter } from '../load/meter.ts';
import { stopwatch } from '../load/stopwatch.ts';
import { SocketIoClient } from '../wire/socket-io.ts';
import type { FollowingFigures, FollowingJob } from './jobs.ts';
import { Markers, markerTopic } from './markers.ts';
import { PacedBatches } from './paced-batches.ts';
import { BareFunctions } from './redis-log.ts';

/** Measures the CPU time of a node that only follows. The markers are 1 of 3,200 messages. */
export async function measureFollowing(job: FollowingJob, deadline: Deadline): Promise<FollowingFigures> {
  const { follower, redis, readerPid } = job;
  const markers = new Markers();
  const subscriber = await subscribe(follower.port, markers, deadline);
  const bare = await BareFunctions.open(redis.port);
  const batches = new PacedBatches({ ...job, bare, markers, deadline });
  const arrived = async (): Promise<void> => {
    deadline.enter(() => 'the follower has not delivered all markers');
    while (!markers.areComplete) await new Promise((resolve) => setTimeout(resolve, 1));
    markers.check();
  };
  try {
    const warmUp = await batches.run(job.warmUpMs);
    await arrived();
    const idle = new Meter(follower.pid);
    await new Promise((resolve) => setTimeout(resolve, job.idleMs));
    const idlePercent = idle.read().busy.serverBusyPercent ?? Number.NaN;
    const meter = new Meter(follower.pid, { redisPid: redis.pid });
    const reader = stopwatch(readerPid);
    const beganMs = performance.now();
    const messages = await batches.run(job.stretchMs);
    await arrived();
    const { serverCpuMs, redisCpuMs, busy } = meter.read();
    const perMessage = (cpuMs: number | undefined): number => ((cpuMs ?? Number.NaN) * 1e3) / messages;
    return {
      followerUs: perMessage(serverCpuMs),
      readerUs: perMessage(reader()),
      redisUs: perMessage(redisCpuMs),
      messagesPerSecond: (messages * 1e3) / (performance.now() - beganMs),
      idlePercent,
      waitingPercent: busy.serverWaitingPercent ?? Number.NaN,
      loadPercent: busy.loadBusyPercent ?? Number.NaN,
      published: warmUp + messages,
    };
  } finally {
    bare.close();
    subscriber.close();
  }
}

async function subscribe(port: number, markers: Markers, deadline: Deadline): Promise<SocketIoClient> {
  const client = await SocketIoClient.open(port, {
    onDelivery: (bytes, start, end) => {
      try {
        markers.received(bytes.toString('utf8', start, end));
      } catch (error) {
        deadline.fail(error as Error);
      }
    },
    onAck: () => deadline.fail(new Error('The subscriber got an acknowledgement.')),
    onFailure: (reason) => deadline.fail(new Error(`The subscriber: ${reason}.`)),
  });
  await client.subscribeFrom(markerTopic, '"new"');
  return client;
}
