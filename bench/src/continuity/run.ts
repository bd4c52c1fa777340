import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.ts';
import { compiled } from '../paths.ts';
import type { Processes } from '../processes.ts';
import { lastMarker, type ClientsJob, type ClientsReport } from './clients-job.ts';
import { startContestant, type Contestant } from './contestants.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import type { Interruption, Span } from './interruptions.ts';
import { judge, type Verdict } from './judge.ts';
import { publish, Publisher } from './publisher.ts';

export interface RunOptions {
  readonly processes: Processes;
  readonly subscribers: number;
  readonly messagesPerSecond: number;
  readonly span: Span;
}

const firstMarker = -1;

/** How often a marker is published until all subscribers have it, and the maximum number of attempts. */
const markerEveryMs = 250;
const markersMax = 360;

/** Publishes while the subscribers are interrupted, and judges what they got in the end. */
export async function runContinuity(
  contestant: Contestant,
  interruption: Interruption,
  { processes, subscribers: count, messagesPerSecond, span }: RunOptions,
): Promise<Verdict> {
  const port = await freePort();
  const data = `continuity-${port}`;
  let server = await startContestant(processes, contestant, port, data);
  const proxy = await CuttingProxy.to(port);
  interruption.prepare?.(proxy);
  const { transport } = interruption;
  const clients = new Clients(processes, {
    kind: contestant.subscriber,
    url: `http://127.0.0.1:${proxy.port}`,
    count,
    transport,
  });
  try {
    await clients.mark(port, firstMarker);
    const publisher = new Publisher(port, messagesPerSecond);
    await interruption.run({
      proxy,
      span,
      restartServer: async () => {
        await server.stop();
        server = await startContestant(processes, contestant, port, data);
      },
      signalClients: (signal) => clients.signal(signal),
    });
    const published = await publisher.stop();
    await clients.mark(port, lastMarker);
    const { received, missing } = await clients.report();
    if (missing > 0) throw new Error(`${missing} of ${count} subscribers did not come back.`);
    return judge(received, published);
  } finally {
    clients.stop();
    proxy.close();
    await server.stop();
  }
}

/** The process with the subscribers. */
class Clients {
  readonly #process: ChildProcess;

  constructor(processes: Processes, job: ClientsJob) {
    this.#process = processes.startLoad(compiled('continuity/clients.js'), [JSON.stringify(job)]);
    this.#process.setMaxListeners(0);
  }

  /** Publishes a marker repeatedly, until every subscriber has it or the maximum is reached. */
  async mark(port: number, marker: number): Promise<void> {
    const isMarked = this.#next((report) => 'marked' in report && report.marked === marker);
    for (let tries = 0; tries < markersMax; tries++) {
      await publish(port, marker).catch(() => {});
      const report = await Promise.race([isMarked, sleep(markerEveryMs)]);
      if (report) return;
    }
  }

  async report(): Promise<Extract<ClientsReport, { received: unknown }>> {
    const reported = this.#next((report) => 'received' in report);
    this.#process.send('report');
    return (await reported) as Extract<ClientsReport, { received: unknown }>;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(signal);
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }

  #next(isWanted: (report: ClientsReport) => boolean): Promise<ClientsReport> {
    return new Promise((resolve) => {
      const listen = (report: ClientsReport): void => {
        if (!isWanted(report)) return;
        this.#process.off('message', listen);
        resolve(report);
      };
      this.#process.on('message', listen);
    });
  }
}
