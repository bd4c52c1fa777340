import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { soonMs, startListening, until, within } from '../../../../../test/waits.ts';

/** A redis-server of the tests. */
export interface RedisProcess {
  readonly port: number;
  readonly url: string;
  readonly directory: string;
  readonly child: ChildProcess;
  /** A client with all rights. */
  readonly admin: Redis;
  /** Kills it, without a chance to write anything. */
  kill(): Promise<void>;
  /** Starts it again with the same directory and port, after it was killed. */
  restart(): Promise<RedisProcess>;
  /** Ends it for good. */
  close(): Promise<void>;
}

interface StartOptions {
  /** Lines of the configuration. */
  readonly config?: readonly string[];
  readonly port?: number;
  readonly directory?: string;
  readonly mode?: 'sentinel';
  readonly password?: string | undefined;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await startListening(server);
  await within(soonMs, 'the port is free again', new Promise((resolve) => server.close(resolve)));
  return port;
}

/** Starts a redis-server without persistence, unless its configuration says otherwise. */
export async function startRedis(options: StartOptions = {}): Promise<RedisProcess> {
  const { config = [], mode, password } = options;
  const port = options.port ?? (await freePort());
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'fanfare-redis-')));
  const file = join(directory, 'redis.conf');
  const common = [`port ${port}`, 'bind 127.0.0.1', `dir ${directory}`, 'save ""', 'daemonize no'];
  if (options.directory === undefined) await writeFile(file, [...common, ...config, ''].join('\n'));
  const child = spawn('redis-server', [file, ...(mode ? [`--${mode}`] : [])], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const admin = new Redis({
    port,
    host: '127.0.0.1',
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    retryStrategy: () => 50,
    ...(password === undefined ? {} : { password }),
  });
  admin.on('error', () => {});
  const answers = async (): Promise<boolean> => {
    const answer = await admin.ping().catch((error: Error) => error.message);
    return /^(PONG|LOADING)/.test(answer);
  };
  await until('redis-server answers', answers);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await within(soonMs, 'redis-server ends', exited);
    admin.disconnect();
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    directory,
    child,
    admin,
    kill,
    restart: () => startRedis({ ...options, port, directory }),
    close: async () => {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
