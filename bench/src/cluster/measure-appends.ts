import { randomUUID } from 'node:crypto';
import { ContentError } from '../load/checker.ts';
import { Content } from '../load/content.ts';
import type { Deadline } from '../load/deadline.ts';
import { Meter } from '../load/meter.ts';
import { Sequences } from '../load/sequences.ts';
import type { AppendsFigures, AppendsJob } from './jobs.ts';
import { BareFunctions, type NewRecord } from './redis-log.ts';

/** As many as a node has in flight. */
const inFlight = 4;

/** Calls `append`, or the function that only pushes, as fast as it answers, and checks each answer. */
export async function measureAppends(job: AppendsJob, deadline: Deadline): Promise<AppendsFigures> {
  const bare = await BareFunctions.open(job.redis.port, job.keepCount);
  const batches = new Batches(job, bare);
  try {
    if (job.calls === 'pushes') await bare.loadPushes();
    deadline.enter(() => 'batches have no answer');
    await batches.run(job.warmUpMs);
    const meter = new Meter(job.redis.pid);
    const beganMs = performance.now();
    const messages = await batches.run(job.stretchMs);
    const elapsedMs = performance.now() - beganMs;
    const { serverCpuMs, busy } = meter.read();
    await batches.check();
    return {
      redisUs: ((serverCpuMs ?? Number.NaN) * 1e3) / messages,
      messagesPerSecond: (messages * 1e3) / elapsedMs,
      waitingPercent: busy.serverWaitingPercent ?? Number.NaN,
      loadPercent: busy.loadBusyPercent ?? Number.NaN,
    };
  } finally {
    bare.close();
  }
}

class Batches {
  readonly #job: AppendsJob;
  readonly #bare: BareFunctions;
  readonly #content: Content;
  readonly #node = randomUUID();
  readonly #sequences = new Sequences();
  #sent = 0;

  constructor(job: AppendsJob, bare: BareFunctions) {
    this.#job = job;
    this.#bare = bare;
    this.#content = new Content(job.messageBytes);
  }

  /** Resolves to the number of messages. */
  async run(ms: number): Promise<number> {
    const first = this.#sent;
    const endsMs = performance.now() + ms;
    const callOneAfterAnother = async (): Promise<void> => {
      while (performance.now() < endsMs) await this.#call();
    };
    await Promise.all(Array.from({ length: inFlight }, callOneAfterAnother));
    return (this.#sent - first) * this.#job.batchMessages;
  }

  /** Compares what is in the log, or in the lists, with what was sent. Rejects with a ContentError. */
  async check(): Promise<void> {
    if (this.#job.calls === 'append') {
      const missing = this.#sequences.missing();
      if (missing !== undefined) throw new ContentError(`${missing}.`);
      return;
    }
    const topics = Array.from({ length: this.#job.topics }, (_, topic) => nameOf(topic));
    const pushed = await this.#bare.countPushed(topics);
    const sent = this.#sent * this.#job.batchMessages;
    if (pushed !== sent) throw new ContentError(`Of ${sent} messages, ${pushed} were pushed.`);
  }

  async #call(): Promise<void> {
    const { batchMessages, topics, calls } = this.#job;
    const first = this.#sent++ * batchMessages;
    const records = Array.from({ length: batchMessages }, (_, at) => {
      const topic = nameOf((first + at) % topics);
      return { topic, messageJson: `"${this.#content.message(first + at)}"` } as NewRecord;
    });
    if (calls === 'pushes') return this.#bare.push(records);
    this.#sequences.add(await this.#bare.append(this.#node, this.#sent, records));
  }
}

const nameOf = (topic: number): string => `topic-${topic}`;
