import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import type { Processes, RunningServer } from '../processes.ts';
import { findProgram } from '../systems/system.ts';

/** A Redis with `appendfsync everysec` that can be started again on its port and its data. */
export class RestartableRedis {
  readonly port: number;
  readonly #processes: Processes;
  readonly #directory: string;
  #server: RunningServer | undefined;

  private constructor(processes: Processes, port: number) {
    this.#processes = processes;
    this.port = port;
    this.#directory = join(processes.directory, `redis-${port}`);
    mkdirSync(this.#directory);
  }

  static async start(processes: Processes): Promise<RestartableRedis> {
    const redis = new RestartableRedis(processes, await freePort());
    await redis.start();
    return redis;
  }

  /** Resolves once it answers with its data loaded. */
  async start(): Promise<void> {
    const where = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#directory];
    this.#server = await this.#processes.startServer({
      command: findProgram('redis-server') ?? 'redis-server',
      args: [...where, '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
      ready: /Ready to accept connections/,
    });
  }

  /** @param signal - with SIGTERM it writes its data first, with SIGKILL it cannot */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#server?.stop(signal);
    this.#server = undefined;
  }
}
