import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { nextEvent } from '../../../../test/waits.ts';

/** What a subscriber has seen. */
export interface Member {
  /** The numbers of the messages, as they came. */
  readonly received: readonly number[];
  /** The number of its connections on which it was subscribed. */
  readonly subscribed: number;
  /** Whether it was told that something may be missing. */
  readonly isUnsure: boolean;
}

const program = fileURLToPath(new URL('crowd-process.mjs', import.meta.url));

/** A thousand clients connect in some seconds. */
const connectMs = 300_000;

const reportMs = 120_000;

/** Thousands of subscribers that resume by PROTOCOL 3.10, in a process of their own. */
export class Crowd {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Resolves when all are subscribed. @param topics - each subscriber has the next one */
  static async start(port: number, topics: readonly string[], count: number): Promise<Crowd> {
    const child = fork(program, [JSON.stringify({ port, topics, count })]);
    onTestFinished(() => void child.kill('SIGKILL'));
    await nextEvent(child, 'message', `${count} subscribers are subscribed`, connectMs);
    return new Crowd(child);
  }

  /** What its members have seen so far, in the order of their topics. */
  async members(): Promise<readonly Member[]> {
    const report = nextEvent<readonly Member[]>(this.#process, 'message', 'the crowd reports', reportMs);
    this.#process.send('report');
    return report;
  }
}
