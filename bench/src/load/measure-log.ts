import type { BatchWire } from '../wire/batches.ts';
import { Batches } from './batches.ts';
import type { Deadline } from './deadline.ts';
import type { BatchesJob, Figures, LoadResult, ReplayJob } from './job.ts';
import { takeLoopDelay } from './loop-delay.ts';
import { Meter, type Use } from './meter.ts';
import { Replay } from './replay.ts';

/** The number of messages that fit into the memory of a server, and of the benchmark's own checks. */
const messagesMax = 2_000_000;

export async function measureBatches(
  job: BatchesJob,
  wire: BatchWire | undefined,
  deadline: Deadline,
): Promise<LoadResult> {
  if (!wire) throw new Error('This system cannot be published to in batches.');
  const batches = new Batches(job, wire, deadline);
  try {
    await batches.open();
    let { messages } = job;
    if (job.warmUpMs > 0) {
      await batches.run({ forMs: job.warmUpMs / 2 });
      const calibration = await batches.run({ forMs: job.warmUpMs / 2 });
      messages ??= Math.round((calibration.messages / calibration.elapsedMs) * job.stretchMs);
    }
    const meter = new Meter(job.pid);
    const stretch = await batches.run({ messages: Math.min(messages ?? 0, messagesMax) });
    const use = meter.read();
    await batches.check();
    const { answerP50Ms, answerP99Ms } = stretch;
    const figures = { ...perMessage(stretch.messages, stretch.elapsedMs, use), answerP50Ms, answerP99Ms };
    return { ok: true, messages: stretch.messages, figures };
  } finally {
    batches.close();
  }
}

export async function measureReplay(job: ReplayJob, deadline: Deadline): Promise<LoadResult> {
  const replay = new Replay(job, deadline);
  const { pid, subscribers, messagesEach, warmUpMessages, loopDelayPath } = job;
  try {
    await replay.open();
    if (warmUpMessages > 0) {
      await replay.read(1, warmUpMessages);
      await replay.settle();
    }
    if (loopDelayPath !== undefined) await takeLoopDelay(loopDelayPath);
    const meter = new Meter(pid);
    const { deliveries, elapsedMs } = await replay.read(subscribers, messagesEach);
    const use = meter.read();
    const delay = loopDelayPath === undefined ? undefined : await takeLoopDelay(loopDelayPath);
    await replay.settle();
    const figures = {
      ...perMessage(deliveries, elapsedMs, use),
      ...(delay && {
        loopDelayP99Ms: delay.p99Ms,
        loopDelayMaxMs: delay.maxMs,
        loopDelayOwnMaxMs: delay.ownMaxMs,
      }),
    };
    return { ok: true, messages: deliveries, figures };
  } finally {
    replay.close();
  }
}

function perMessage(messages: number, elapsedMs: number, { serverCpuMs, busy }: Use): Figures {
  return {
    ...busy,
    messagesPerSecond: (messages * 1e3) / elapsedMs,
    ...(serverCpuMs !== undefined && {
      messagesPerCpuSecond: (messages * 1e3) / serverCpuMs,
      cpuUsPerMessage: (serverCpuMs * 1e3) / messages,
    }),
  };
}
