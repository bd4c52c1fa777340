import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.ts';
import { readPeakKib, readResidentKib } from '../load/cpu-time.ts';
import type { Processes } from '../processes.ts';
import { startContestant, type Contestant } from './contestants.ts';
import { isFlawless, judge } from './judge.ts';
import { Publisher } from './publisher.ts';
import { StormClient } from './storm-client.ts';

export interface StormOptions {
  readonly processes: Processes;
  readonly clients: number;
  readonly messagesPerSecond: number;
  /** How long messages are published before the server is killed, in milliseconds. */
  readonly settleMs: number;
}

export interface StormResult {
  /** Time from the start of the new server until all subscriptions were back. */
  readonly resumedMs: number;
  /** Whether all clients got every message once and in order, and none was told of a gap. */
  readonly isFlawless: boolean;
  /** Resident memory of the server before it was killed, and the peak of the new server, in MiB. */
  readonly steadyMib: number;
  readonly peakMib: number;
}

const connectingAtOnce = 100;
const timeoutMs = 120_000;

/** Kills a server with very many clients, starts it again, and measures how they recover. */
export async function reconnectStorm(
  contestant: Contestant,
  { processes, clients: count, messagesPerSecond, settleMs }: StormOptions,
): Promise<StormResult> {
  const port = await freePort();
  const data = `storm-${port}`;
  const first = await startContestant(processes, contestant, port, data);
  const crowd = new Crowd(port);
  await crowd.grow(count);
  const publisher = new Publisher(port, messagesPerSecond);
  await sleep(settleMs);
  const steadyMib = mibOf(readResidentKib(first.pid));
  await first.stop();
  const second = await startContestant(processes, contestant, port, data);
  const ready = performance.now();
  await crowd.until(({ subscribed }) => subscribed === 2);
  const resumedMs = performance.now() - ready;
  const published = await publisher.stop();
  await crowd.until(({ received }) => received.at(-1) === published - 1);
  const peakMib = mibOf(readPeakKib(second.pid));
  for (const client of crowd.clients) client.stop();
  await second.stop();
  const verdict = judge(
    crowd.clients.map(({ received }) => received),
    published,
  );
  const isUnsure = crowd.clients.some((client) => client.isUnsure);
  return { resumedMs, isFlawless: isFlawless(verdict) && !isUnsure, steadyMib, peakMib };
}

class Crowd {
  readonly clients: StormClient[] = [];
  readonly #port: number;
  #onChange: () => void = () => {};

  constructor(port: number) {
    this.#port = port;
  }

  /** A few at a time, as clients connect without an interruption. */
  async grow(count: number): Promise<void> {
    while (this.clients.length < count) {
      for (let more = 0; more < connectingAtOnce && this.clients.length < count; more++) {
        this.clients.push(new StormClient(this.#port, () => this.#onChange()));
      }
      await this.until(({ subscribed }) => subscribed === 1);
    }
  }

  /** Resolves once the condition holds for all clients. */
  async until(isSo: (client: StormClient) => boolean): Promise<void> {
    const waiting = new Set(this.clients);
    const check = (): boolean => {
      // In the order in which they connected: most are as far as those before them.
      for (const client of waiting) {
        if (!isSo(client)) return false;
        waiting.delete(client);
      }
      return true;
    };
    const timeout = sleep(timeoutMs, 'late', { ref: false });
    const done = new Promise<void>((resolve) => {
      this.#onChange = () => {
        if (check()) resolve();
      };
      this.#onChange();
    });
    if ((await Promise.race([done, timeout])) === 'late')
      throw new Error(`${waiting.size} of ${this.clients.length} clients did not recover in time.`);
  }
}

/** NaN if the operating system does not report it. */
function mibOf(kib: number | undefined): number {
  return (kib ?? Number.NaN) / 1_024;
}
