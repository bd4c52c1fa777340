import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { compiled } from '../paths.ts';
import type { Processes } from '../processes.ts';
import type { ClientsJob, ClientsReport } from './clients-job.ts';
import { publish } from './publisher.ts';

/** How often a marker is published until all subscribers have it, and the maximum number of attempts. */
const markerEveryMs = 250;
const markersMax = 360;

/** The process with the subscribers. */
export class Clients {
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

  /** The messages of each subscriber. Rejects unless all have the last marker. */
  async received(): Promise<readonly (readonly number[])[]> {
    const reported = this.#next((report) => 'received' in report);
    this.#process.send('report');
    const { received, missing } = (await reported) as Extract<ClientsReport, { received: unknown }>;
    if (missing > 0) throw new Error(`${missing} of ${received.length} subscribers did not come back.`);
    return received;
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
