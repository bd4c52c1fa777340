import type { Besides } from '../processes.ts';
import { readWaitedMs } from './cpu-time.ts';
import type { Figures } from './job.ts';
import { stopwatch } from './stopwatch.ts';

export interface Use {
  /** Undefined where the operating system does not say. */
  readonly serverCpuMs: number | undefined;
  readonly redisCpuMs: number | undefined;
  /** Of the node that publishers use, if it is another one. */
  readonly publishersCpuMs: number | undefined;
  readonly busy: Figures;
}

/** Measures the processor time of the server and of this process, from its construction to its reading. */
export class Meter {
  readonly #pid: number;
  readonly #beganMs = performance.now();
  readonly #server: () => number | undefined;
  readonly #redis: () => number | undefined;
  readonly #publishers: () => number | undefined;
  readonly #waitedMs: number | undefined;
  readonly #load = process.cpuUsage();

  constructor(pid: number, besides?: Besides) {
    this.#pid = pid;
    this.#server = stopwatch(pid);
    this.#redis = stopwatch(besides?.redisPid);
    this.#publishers = stopwatch(besides?.publishers?.pid);
    this.#waitedMs = readWaitedMs(pid);
  }

  read(): Use {
    const serverCpuMs = this.#server();
    const redisCpuMs = this.#redis();
    const publishersCpuMs = this.#publishers();
    const waitedMs = (readWaitedMs(this.#pid) ?? Number.NaN) - (this.#waitedMs ?? Number.NaN);
    const { user, system } = process.cpuUsage(this.#load);
    const elapsedMs = performance.now() - this.#beganMs;
    return {
      serverCpuMs,
      redisCpuMs,
      publishersCpuMs,
      busy: {
        loadBusyPercent: (user + system) / 10 / elapsedMs,
        ...(!Number.isNaN(waitedMs) && { serverWaitingPercent: (waitedMs * 100) / elapsedMs }),
        ...(serverCpuMs !== undefined && { serverBusyPercent: (serverCpuMs * 100) / elapsedMs }),
      },
    };
  }
}
