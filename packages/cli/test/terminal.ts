import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { expect, onTestFinished } from 'vitest';
import { fanfarePath } from './harness.ts';

/** A program in a real terminal, as a person sees it. */
export class Terminal {
  readonly #session = `fanfare-${randomUUID()}`;

  constructor(command: string, { width = 60, height = 24 } = {}) {
    this.#tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-s',
      this.#session,
      '-x',
      String(width),
      '-y',
      String(height),
      `${command}; code=$?; echo; echo exit code $code; exec cat`,
    );
    onTestFinished(() => void spawnSync('tmux', ['-L', this.#session, 'kill-server']));
  }

  type(...keys: string[]): void {
    this.#tmux('send-keys', '-t', this.#session, ...keys);
  }

  /** What is on the screen, line by line. */
  get screen(): string[] {
    return this.#tmux('capture-pane', '-p', '-t', this.#session)
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd());
  }

  /** The same with colours, as escape sequences. */
  get painted(): string {
    return this.#tmux('capture-pane', '-p', '-e', '-t', this.#session);
  }

  async shows(...lines: string[]): Promise<void> {
    await expect.poll(() => this.screen.join('\n')).toContain(lines.join('\n'));
  }

  async exitCode(): Promise<number> {
    await expect.poll(() => this.screen.join('\n')).toMatch(/^exit code \d+$/m);
    return Number(/^exit code (\d+)$/m.exec(this.screen.join('\n'))?.[1]);
  }

  #tmux(...args: string[]): string {
    const { stdout, stderr, status } = spawnSync('tmux', ['-L', this.#session, ...args], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
    return stdout;
  }
}

export const inTerminal = (command: string, size?: { width?: number; height?: number }): Terminal =>
  new Terminal(`TERM=screen '${process.execPath}' '${fanfarePath}' ${command}`, size);
