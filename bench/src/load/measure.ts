import type { Wire } from '../wire/client.ts';
import type { BatchWire } from '../wire/batches.ts';
import { closeClients, openClients } from './clients.ts';
import { readResidentKib } from './cpu-time.ts';
import { Deadline } from './deadline.ts';
import { FanOut, type Stretch } from './fan-out.ts';
import type { ConnectJob, FanOutJob, Figures, IdleJob, Job, LoadResult } from './job.ts';
import { measureBatches, measureReplay } from './measure-log.ts';
import { Meter, type Use } from './meter.ts';
import { measureStrangers } from '../strangers/measure-strangers.ts';

/** The limits for the number of messages of a measured stretch, however fast or slow a system is. */
const messagesMin = 100;
const messagesMax = 400_000;

/** Runs a job against a running server. */
export async function measure(
  job: Job,
  { wire, batches }: { readonly wire: Wire | undefined; readonly batches?: BatchWire },
): Promise<LoadResult> {
  const deadline = new Deadline(job.timeoutMs);
  try {
    return await deadline.run(async () => {
      switch (job.kind) {
        case 'fan-out':
          return measureFanOut(job, wire, deadline);
        case 'connect':
          return { ok: true, messages: 0, figures: await measureConnect(job, wireOf(wire), deadline) };
        case 'idle':
          return { ok: true, messages: 0, figures: await measureIdle(job, wireOf(wire), deadline) };
        case 'batches':
          return measureBatches(job, batches, deadline);
        case 'replay':
          return measureReplay(job, deadline);
        case 'strangers':
          return { ok: true, messages: 0, figures: await measureStrangers(job, deadline) };
      }
    });
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function measureFanOut(
  job: FanOutJob,
  wire: Wire | undefined,
  deadline: Deadline,
): Promise<LoadResult> {
  const fanOut = new FanOut(job, wire, deadline);
  try {
    await fanOut.open();
    let { messages } = job;
    if (job.warmUpMs > 0) {
      await fanOut.run({ forMs: job.warmUpMs / 2 });
      const calibration = await fanOut.run({ forMs: job.warmUpMs / 2 });
      messages ??= Math.round((calibration.messages / calibration.elapsedMs) * job.stretchMs);
    }
    const count = Math.min(Math.max(messages ?? 0, messagesMin), messagesMax);
    const meter = new Meter(job.pid, job.besides);
    const stretch = await fanOut.run({ messages: count });
    const use = meter.read();
    // By now every repeated delivery has arrived.
    await fanOut.run({ messages: job.topics });
    return { ok: true, messages: count, figures: fanOutFigures(stretch, use) };
  } finally {
    fanOut.close();
  }
}

function fanOutFigures(stretch: Stretch, { serverCpuMs, redisCpuMs, publishersCpuMs, busy }: Use): Figures {
  const { messages, deliveries, elapsedMs } = stretch;
  return {
    ...busy,
    publishesPerSecond: (messages * 1e3) / elapsedMs,
    ...(serverCpuMs !== undefined && { publishesPerCpuSecond: (messages * 1e3) / serverCpuMs }),
    ...(redisCpuMs !== undefined && { redisCpuUsPerPublish: (redisCpuMs * 1e3) / messages }),
    ...(deliveries > 0 && {
      deliveriesPerSecond: (deliveries * 1e3) / elapsedMs,
      medianP50Ms: stretch.medianP50Ms,
      medianP99Ms: stretch.medianP99Ms,
      lastP50Ms: stretch.lastP50Ms,
      lastP99Ms: stretch.lastP99Ms,
      lastP999Ms: stretch.lastP999Ms,
      ...(serverCpuMs !== undefined && { cpuUsPerDelivery: (serverCpuMs * 1e3) / deliveries }),
      ...(redisCpuMs !== undefined && { redisCpuUsPerDelivery: (redisCpuMs * 1e3) / deliveries }),
      ...(publishersCpuMs !== undefined && {
        publishersCpuUsPerDelivery: (publishersCpuMs * 1e3) / deliveries,
        ...(serverCpuMs !== undefined && {
          nodesCpuUsPerDelivery: ((serverCpuMs + publishersCpuMs) * 1e3) / deliveries,
        }),
      }),
    }),
  };
}

async function measureConnect(job: ConnectJob, wire: Wire, deadline: Deadline): Promise<Figures> {
  const others = await openIdleClients(job, wire, deadline, job.warmUpConnections);
  const beganMs = performance.now();
  const meter = new Meter(job.pid);
  const clients = await openIdleClients(job, wire, deadline, job.connections);
  const { serverCpuMs, busy } = meter.read();
  const elapsedMs = performance.now() - beganMs;
  closeClients([...others, ...clients]);
  return {
    ...busy,
    connectionsPerSecond: (job.connections * 1e3) / elapsedMs,
    ...(serverCpuMs !== undefined && { cpuUsPerConnection: (serverCpuMs * 1e3) / job.connections }),
  };
}

async function measureIdle(job: IdleJob, wire: Wire, deadline: Deadline): Promise<Figures> {
  const beforeKib = readResidentKib(job.pid);
  const clients = await openIdleClients(job, wire, deadline, job.connections);
  deadline.enter(() => 'the server is being left alone');
  await new Promise((resolve) => setTimeout(resolve, job.quietMs));
  const afterKib = readResidentKib(job.pid);
  closeClients(clients);
  if (beforeKib === undefined || afterKib === undefined) return {};
  return { kibPerConnection: (afterKib - beforeKib) / job.connections };
}

async function openIdleClients(
  job: Job,
  wire: Wire,
  deadline: Deadline,
  count: number,
): ReturnType<typeof openClients> {
  let subscribed = 0;
  deadline.enter(() => `${subscribed} of ${count} clients have subscribed`);
  return openClients(wire, job.port, {
    count,
    topicsOf: () => ['topic-0'],
    eventsOf: (index) => ({
      onDelivery: () => deadline.fail(new Error(`Subscriber ${index} got bytes that nobody published.`)),
      onAck: () => deadline.fail(new Error(`Subscriber ${index} got an acknowledgement.`)),
      onFailure: (reason) => deadline.fail(new Error(`Subscriber ${index}: ${reason}.`)),
    }),
    onSubscribed: (done) => (subscribed = done),
  });
}

function wireOf(wire: Wire | undefined): Wire {
  if (!wire) throw new Error('This system has no subscribers.');
  return wire;
}
