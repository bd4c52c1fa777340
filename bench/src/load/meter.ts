import { cpuMsBetween, readCpuTime, readWaitedMs } from './cpu-time.ts';
import type { Figures } from './job.ts';

export interface Use {
  /** Undefined where the operating system does not say. */
  readonly serverCpuMs: number | undefined;
  readonly busy: Figures;
}

/** Measures the processor time of the server and of this process, from its construction to its reading. */
export class Meter {
  readonly #pid: number;
  readonly #beganMs = performance.now();
  readonly #server: ReturnType<typeof readCpuTime>;
  readonly #waitedMs: number | undefined;
  readonly #load = process.cpuUsage();

  constructor(pid: number) {
    this.#pid = pid;
    this.#server = readCpuTime(pid);
    this.#waitedMs = readWaitedMs(pid);
  }

  read(): Use {
    const server = readCpuTime(this.#pid);
    const waitedMs = (readWaitedMs(this.#pid) ?? Number.NaN) - (this.#waitedMs ?? Number.NaN);
    const { user, system } = process.cpuUsage(this.#load);
    const elapsedMs = performance.now() - this.#beganMs;
    const serverCpuMs = server && this.#server && cpuMsBetween(this.#server, server);
    return {
      serverCpuMs,
      busy: {
        loadBusyPercent: (user + system) / 10 / elapsedMs,
        ...(!Number.isNaN(waitedMs) && { serverWaitingPercent: (waitedMs * 100) / elapsedMs }),
        ...(serverCpuMs !== undefined && { serverBusyPercent: (serverCpuMs * 100) / elapsedMs }),
      },
    };
  }
}
