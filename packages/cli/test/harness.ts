import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createServer, type FanfareServer, type ServerOptions } from '@fanfare/server';
import { onTestFinished } from 'vitest';
import { until, within } from '../../../test/waits.ts';

export const fanfarePath: string = fileURLToPath(new URL('../bin/fanfare.js', import.meta.url));

/** How long a program may take for something: on a busy machine its start alone takes seconds. */
const programMs = 90_000;

/** A running program whose output can be waited for. Killed when the test ends. */
export class Program {
  readonly process: ChildProcess;
  stdout = '';
  stderr = '';
  #wake: (() => void)[] = [];
  readonly #command: string;
  #exit: (code: number) => void = () => {};
  readonly #ended = new Promise<number>((resolve) => (this.#exit = resolve));

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#command = [command, ...args].join(' ');
    // Whether npm runs these tests is nothing to the programs.
    this.process = spawn(command, args, {
      env: { ...process.env, NO_COLOR: '1', npm_execpath: undefined, ...env },
      detached: true,
    });
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => this.#collect('stdout', text));
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => this.#collect('stderr', text));
    this.process.stdin?.on('error', () => {});
    this.process.once('close', (code, signal) => {
      this.#exit(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : 9));
      this.#wake.forEach((wake) => wake());
    });
    onTestFinished(() => this.#killAll());
  }

  /** The exit code; a signal's number and 128 when a signal ended it, as a shell has it. */
  get exitCode(): Promise<number> {
    return within(programMs, `the program ends: ${this.#command}`, this.#ended, () => this.#output);
  }

  /** With what it has started: npm does not end its script when it is ended. */
  #killAll(): void {
    try {
      if (this.process.pid !== undefined) process.kill(-this.process.pid, 'SIGKILL');
    } catch {
      // There is nothing left of it.
    }
  }

  type(text: string): void {
    this.process.stdin?.write(text);
  }

  /** Waits until the output has something. Rejects with all of it when the program ends without. */
  async says(pattern: string | RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
    const isThere = (): boolean =>
      typeof pattern === 'string' ? this[stream].includes(pattern) : pattern.test(this[stream]);
    const step = async (): Promise<void> => {
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        await this.exitCode;
        if (isThere()) return;
        throw new Error(`the program ended without ${pattern}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => void this.#wake.push(resolve));
      this.#wake = [];
    };
    const what = `the program says ${pattern} on ${stream}: ${this.#command}`;
    await until(what, isThere, { step, soFar: () => this.#output, ms: programMs });
  }

  get #output(): { stdout: string; stderr: string } {
    return { stdout: this.stdout, stderr: this.stderr };
  }

  #collect(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text;
    this.#wake.forEach((wake) => wake());
  }
}

/** A folder that is removed when the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function fanfare(...args: string[]): Program {
  return new Program(process.execPath, [fanfarePath, ...args]);
}

/** Runs a program to its end. The lines of each start and stop of a server are left out. */
export async function outcome(program: Program): Promise<{ code: number; stdout: string; stderr: string }> {
  const code = await program.exitCode;
  return { code, stdout: program.stdout, stderr: withoutLife(program.stderr) };
}

/** Leaves out the lines that a server logs at each start and stop. */
export function withoutLife(stderr: string): string {
  return stderr.replace(/^\{.*"msg":"The server (?:has started|is stopping|has stopped)\."\}\n/gm, '');
}

/** @param more - settings; without any of where messages are kept, in memory */
export async function startServer(
  port = 0,
  more: ServerOptions = {},
): Promise<{ server: FanfareServer; url: string }> {
  const server = createServer({ port, ...more });
  const url = await server.start();
  onTestFinished(() => server.stop());
  return { server, url };
}
