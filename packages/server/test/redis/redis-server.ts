import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../../bench/src/free-port.ts';
import { sleep, soonMs, until, within } from '../../../../test/waits.ts';
import { atEnd } from './at-end.ts';
import { inNamespace, type Namespace } from './network-namespaces.ts';
import { RedisClient, type Login } from './redis-client.ts';
import { RedisError, type RespValue } from './resp.ts';

/** Redis, or the server that `FANFARE_REDIS_SERVER` names: `valkey-server`. */
const program = process.env['FANFARE_REDIS_SERVER'] ?? 'redis-server';

export interface RedisOptions {
  /** Lines of redis.conf: `appendonly yes`. They count more than those below. */
  readonly config?: readonly string[];
  /** Files beside redis.conf, by name: `{ 'users.acl': 'user default off' }` for `aclfile users.acl`. */
  readonly files?: Readonly<Record<string, string>>;
  /** How `send` and the waits log in. By default without a password, or with that of `requirepass`. */
  readonly login?: Login;
  readonly mode?: 'sentinel';
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs. By default in the namespace of this process. */
  readonly network?: Namespace;
}

/** Where data was copied to. */
export interface Snapshot {
  readonly directory: string;
}

/** A copy of a primary does not wait for others that may come: by default it waits for five seconds. */
const defaults = ['save ""', 'appendonly no', 'repl-diskless-sync-delay 0'];

/** Data files: the others of the folder are its configuration. */
const isData = (name: string): boolean => name.endsWith('.rdb') || name.startsWith('appendonly');

/**
 * A real Redis in a process of its own, on a free port, with a temporary folder. By default it keeps nothing
 * on disk. It is killed when the test ends.
 */
export class RedisServer {
  readonly host: string;
  readonly port: number;
  /** With its data and its configuration. */
  readonly directory: string;
  readonly login: Login | undefined;
  /** What it has printed. */
  log = '';
  readonly #options: RedisOptions;
  readonly #root: string;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #snapshots = 0;

  private constructor(port: number, options: RedisOptions) {
    this.port = port;
    this.host = options.network?.address ?? '127.0.0.1';
    this.#options = options;
    this.#root = mkdtempSync(join(tmpdir(), 'fanfare-redis-'));
    this.directory = join(this.#root, 'data');
    mkdirSync(this.directory);
    const password = options.config?.map((line) => /^requirepass (\S+)$/.exec(line)?.[1]).find(Boolean);
    this.login = options.login ?? (password === undefined ? undefined : { password });
    atEnd(() => {
      this.#process?.kill('SIGKILL');
      rmSync(this.#root, { recursive: true, force: true, maxRetries: 5 });
    });
  }

  /** Starts a server, and waits until it answers. */
  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), options);
    const bound = [
      `port ${server.port}`,
      `bind ${server.host}`,
      'protected-mode no',
      `dir ${server.directory}`,
    ];
    const lines = [...bound, ...(options.mode === 'sentinel' ? [] : defaults), ...(options.config ?? [])];
    writeFileSync(join(server.directory, 'redis.conf'), `${lines.join('\n')}\n`);
    for (const [name, text] of Object.entries(options.files ?? {}))
      writeFileSync(join(server.directory, name), text);
    await server.restart();
    return server;
  }

  /** A copy of a primary, once the copy is complete. @param primary - or a proxy before it */
  static async startReplica(
    primary: { readonly port: number; readonly host?: string },
    options: RedisOptions = {},
  ): Promise<RedisServer> {
    const line = `replicaof ${primary.host ?? '127.0.0.1'} ${primary.port}`;
    const replica = await RedisServer.start({ ...options, config: [line, ...(options.config ?? [])] });
    await replica.untilInfo('replication', /^master_link_status:up/m);
    return replica;
  }

  get url(): string {
    const { user = '', password } = this.login ?? {};
    const login = password === undefined ? '' : `${user}:${encodeURIComponent(password)}@`;
    return `redis://${login}${this.host}:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** A new connection, closed when the test ends. */
  async connect(): Promise<RedisClient> {
    return RedisClient.connect(this.port, this.login, this.host);
  }

  /** Runs one command on a connection of its own. @returns the reply, with texts */
  async command(...words: readonly (string | number | Buffer)[]): Promise<RespValue> {
    const client = await this.connect();
    try {
      return await client.command(...words);
    } finally {
      client.close();
    }
  }

  /** A section of `INFO`. */
  async info(section: string): Promise<string> {
    const ask = (): Promise<RespValue> => this.command('INFO', section);
    const reply = await ask().catch((error: unknown) => {
      if (error instanceof RedisError) throw error;
      // Sentinel closes all connections of a server whose role it changes.
      return ask();
    });
    return String(reply);
  }

  async untilInfo(section: string, pattern: RegExp): Promise<void> {
    let info = '';
    const holds = async (): Promise<boolean> => {
      // Sentinel makes a replica of a server, and closes its connections.
      info = await this.info(section).catch(String);
      return pattern.test(info);
    };
    // Redis does not announce these.
    await until(`INFO ${section} has ${pattern}`, holds, { step: () => sleep(20), soFar: () => info });
  }

  /** Waits until replicas have everything that was written before. */
  async untilCopied(replicas: number): Promise<void> {
    const client = await this.connect();
    const isCopied = async (): Promise<boolean> => {
      // Since Redis 7.2, `WAIT` waits for what its own connection has sent to replicas.
      await client.command('PUBLISH', 'copied', '');
      return Number(await client.command('WAIT', replicas, 1_000)) >= replicas;
    };
    await until(`${replicas} replicas have everything`, isCopied);
    client.close();
  }

  async configSet(name: string, value: string | number): Promise<void> {
    await this.command('CONFIG', 'SET', name, value);
  }

  async flushAll(): Promise<void> {
    await this.command('FLUSHALL');
  }

  /** Ends it as an operator does: it writes its data first. */
  async stop(): Promise<void> {
    const client = await this.connect();
    // The end of the connection is the reply.
    await client
      .send('SHUTDOWN', ...(this.#options.mode === 'sentinel' ? [] : ['SAVE']))
      .catch((error: unknown) => {
        if (error instanceof RedisError) throw error;
      });
    await within(soonMs, 'Redis ends', this.#ended, () => this.log);
  }

  /** Kills it like a crash. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await within(soonMs, 'Redis ends', this.#ended);
  }

  /** Stops the process (SIGSTOP): its connections stay, and nothing is answered until `resume`. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /**
   * Starts it again on the same port, and waits until it answers.
   *
   * @param data - what it starts with; by default what is in its folder. It must not run then.
   */
  async restart(data?: Snapshot | 'nothing'): Promise<void> {
    this.launch(data);
    await this.answers();
  }

  /** Starts it, and does not wait for anything. */
  launch(data?: Snapshot | 'nothing'): void {
    if (this.isRunning) throw new Error('this Redis runs already');
    if (data !== undefined) this.#replaceData(data);
    const { mode, network, env } = this.#options;
    const command = [program, 'redis.conf', ...(mode === 'sentinel' ? ['--sentinel'] : [])];
    const [first = program, ...rest] = [...inNamespace(network), ...command];
    const child = spawn(first, rest, {
      cwd: this.directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    const print = (text: string): void => void (this.log += text);
    child.stdout.setEncoding('utf8').on('data', print);
    child.stderr.setEncoding('utf8').on('data', print);
    child.once('error', (error) => print(`${first}: ${error.message}`));
    let end = (): void => {};
    this.#ended = new Promise((resolve) => (end = resolve));
    child.once('close', () => {
      this.#process = undefined;
      end();
    });
  }

  /** Waits until it answers, with its data loaded. */
  async answers(): Promise<void> {
    const isReady = async (): Promise<boolean> => {
      if (!this.isRunning) throw new Error(`Redis ended: ${this.log}`);
      return this.command('PING').then(
        () => true,
        (error: unknown) => error instanceof RedisError && error.code !== 'LOADING',
      );
    };
    // Redis does not report in every mode when it is ready, so that it is asked.
    await until('Redis answers', isReady, { step: () => sleep(10), soFar: () => this.log });
  }

  /** Copies its data as it is at this moment, to `restart` with it later. */
  async snapshot(): Promise<Snapshot> {
    const directory = join(this.#root, `snapshot-${++this.#snapshots}`);
    mkdirSync(directory);
    if (this.isRunning) {
      const [, isAppending] = (await this.command('CONFIG', 'GET', 'appendonly')) as string[];
      if (isAppending !== 'yes') await this.command('SAVE');
    }
    // A server that stands still does not write while its files are copied.
    this.pause();
    copyData(this.directory, directory);
    this.resume();
    return { directory };
  }

  #replaceData(data: Snapshot | 'nothing'): void {
    for (const name of readdirSync(this.directory).filter(isData))
      rmSync(join(this.directory, name), { recursive: true });
    if (data !== 'nothing') copyData(data.directory, this.directory);
  }
}

function copyData(from: string, to: string): void {
  for (const name of readdirSync(from).filter(isData))
    cpSync(join(from, name), join(to, name), { recursive: true });
}
