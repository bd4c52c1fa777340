import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { root } from './paths.ts';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** Environment variables, in addition to the path and a home. */
  readonly env?: Readonly<Record<string, string>>;
  /** The processor that it runs on. By default that of the server. */
  readonly processor?: keyof Pinning;
  /**
   * Matches its output once it takes connections. The group `port` is the port, if the program prints one.
   */
  readonly ready: RegExp;
}

export interface RunningServer {
  readonly pid: number;
  /** The value of the group `port` of {@link Program.ready}. */
  readonly port: number;
  /** The socket that reports its event-loop delays: see `servers/loop-delay.ts`. */
  readonly loopDelayPath?: string | undefined;
  /** Other processes that work for it. */
  readonly besides?: Besides | undefined;
  /** How the process ended, and its last output. Undefined if it is still alive after a moment. */
  death(): Promise<string | undefined>;
  /** Resolves once the process has ended. @param signal - by default SIGKILL */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Processes that work for a server. Their CPU time is measured by itself. */
export interface Besides {
  readonly redisPid: number;
  /** The node that publishers use. Without it, they use the same server as the subscribers. */
  readonly publishers?: { readonly port: number; readonly pid: number };
}

/** The processors for the server and the load. Undefined leaves the choice to the operating system. */
export interface Pinning {
  readonly server: number;
  readonly load: number;
}

const startTimeoutMs = 20_000;
const deathNoticeMs = 1000;
const outputCharactersMax = 2000;

/** The processes that the benchmark has started. None of them outlives it. */
export class Processes {
  readonly #children = new Set<ChildProcess>();
  readonly #pinning: Pinning | undefined;
  /** A folder for the files of servers. */
  readonly directory: string = mkdtempSync(join(tmpdir(), 'fanfare-bench-'));

  constructor(pinning: Pinning | undefined) {
    this.#pinning = pinning;
  }

  /** Resolves once the server takes connections. */
  async startServer({ command, args, env, ready, processor = 'server' }: Program): Promise<RunningServer> {
    const pinned = pin(this.#pinning?.[processor], command, args);
    const child = spawn(pinned.command, pinned.args, {
      cwd: this.directory,
      env: { PATH: process.env['PATH'], HOME: this.directory, PYTHONUNBUFFERED: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = this.#watch(child);
    const port = await printed(child, ready, command);
    let output = '';
    const keepLast = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-outputCharactersMax);
    };
    // All output has to be read, or the server would block on it.
    child.stdout.on('data', keepLast);
    child.stderr.on('data', keepLast);
    const death = async (): Promise<string | undefined> => {
      // Its connections end before the process does.
      await Promise.race([ended, setTimeout(deathNoticeMs, undefined, { ref: false })]);
      const { exitCode, signalCode } = child;
      if (exitCode === null && signalCode === null) return undefined;
      return `The server ended with ${signalCode ?? exitCode}. It printed last: ${output.trim() || 'nothing'}`;
    };
    const stop = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
      child.kill(signal);
      await ended;
    };
    return { pid: child.pid ?? 0, port, death, stop };
  }

  /** Starts a module of this package, which communicates by messages. */
  startLoad(module: string, moduleArgs: readonly string[] = []): ChildProcess {
    const { command, args } = pin(this.#pinning?.load, process.execPath, []);
    const child = fork(module, moduleArgs, {
      cwd: root,
      execPath: command,
      execArgv: [...args],
      stdio: 'inherit',
    });
    void this.#watch(child);
    return child;
  }

  /** Kills all processes that still run. */
  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  #watch(child: ChildProcess): Promise<void> {
    this.#children.add(child);
    return new Promise((resolve) => {
      const end = (): void => {
        this.#children.delete(child);
        resolve();
      };
      child.once('exit', end);
      child.once('error', end);
    });
  }
}

function pin(
  processor: number | undefined,
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  if (processor === undefined) return { command, args };
  return { command: 'taskset', args: ['-c', String(processor), command, ...args] };
}

/** Resolves to the port, or to 0, once the output of the program matches `ready`. */
function printed(child: ChildProcess, ready: RegExp, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = '';
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      child.stdout?.removeAllListeners('data');
      child.stderr?.removeAllListeners('data');
      child.removeAllListeners('close');
      then();
    };
    const fail = (reason: string): void =>
      settle(() => {
        child.kill('SIGKILL');
        reject(new Error(`${name} ${reason}. It printed: ${output.trim() || 'nothing'}`));
      });
    const take = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      const match = ready.exec(output);
      if (match) settle(() => resolve(Number(match.groups?.['port'] ?? 0)));
    };
    const timer = globalThis.setTimeout(
      () => fail(`did not start in ${startTimeoutMs / 1000} s`),
      startTimeoutMs,
    );
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('close', (code) => fail(`ended with ${code} before it took connections`));
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
  });
}
