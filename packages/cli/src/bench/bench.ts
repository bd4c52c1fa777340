import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as passed } from 'node:timers/promises';
import { ask, codeOf, isSuccess } from '../api.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { interrupt } from '../interrupt.ts';
import { checkConnectionLimit } from '../open-file-limit.ts';
import { say } from '../output.ts';
import type { Target } from '../server-target.ts';
import { printReport, type Outcome } from './bench-report.ts';
import { Ledger } from './ledger.ts';
import { LiveLine } from './live-line.ts';
import type { Plan } from './plan.ts';
import { Publishers } from './publishers.ts';
import { Subscribers } from './subscribers.ts';

/** After this time without a delivery, those that are missing count as lost. */
const quietMs = 3_000;
const stepMs = 50;

/** After Ctrl-C, how long publishes can wait for their responses. */
const lastAnswersMs = 1_000;

const redrawMs = 500;

/** A process that is busier than this is a part of what it measures. */
const busyMax = 0.7;

/**
 * `fanfare bench`: publishes over HTTP, and measures when the messages arrive at Socket.IO clients. It works
 * with every server of the lab contract.
 *
 * @throws CommandError `unreachable`; `refused` if messages were lost, repeated or refused; `interrupted`
 */
export async function runBench(target: Target, plan: Plan, json: boolean): Promise<void> {
  checkConnectionLimit(plan.subscribers + plan.publishers);
  await new Bench(target, plan).run(json);
}

class Bench {
  readonly #target: Target;
  readonly #plan: Plan;
  readonly #topics: readonly string[];
  readonly #ledger: Ledger;
  readonly #subscribers: Subscribers;
  readonly #publishers: Publishers;
  readonly #line = new LiveLine();
  /** The exit code of the signal that ended the run. */
  #signal: number | undefined;
  #onSignal = (): void => {};
  readonly #signalled = new Promise<void>((resolve) => (this.#onSignal = resolve));

  constructor(target: Target, plan: Plan) {
    this.#target = target;
    this.#plan = plan;
    // Names that nobody else has: the topics are deleted at the end.
    const run = randomBytes(6).toString('hex');
    this.#topics = Array.from({ length: plan.topics }, (_, at) => `fanfare-bench/${run}/${at}`);
    this.#ledger = new Ledger(plan);
    this.#subscribers = new Subscribers(target, this.#topics, this.#ledger);
    this.#publishers = new Publishers(target, plan, this.#topics, this.#ledger);
  }

  async run(json: boolean): Promise<void> {
    process.once('SIGINT', () => this.#stop(exitCodes.interrupted));
    process.once('SIGTERM', () => this.#stop(exitCodes.terminated));
    let outcome: Outcome | undefined;
    try {
      const opening = this.#subscribers.open((count) =>
        this.#line.show(`${count} of ${this.#plan.subscribers} subscribers`),
      );
      opening.catch(() => {});
      await Promise.race([opening, this.#signalled]);
      if (this.#signal === undefined) outcome = await this.#measure();
    } finally {
      this.#line.clear();
      this.#subscribers.close();
      this.#publishers.close();
      await this.#deleteTopics();
    }
    if (outcome) printReport(this.#target, this.#plan, outcome, json);
    this.#conclude(outcome);
  }

  /** A second signal ends the program at once. */
  #stop(exitCode: number): void {
    this.#signal = exitCode;
    process.once('SIGINT', interrupt);
    this.#publishers.stop();
    this.#onSignal();
  }

  async #measure(): Promise<Outcome> {
    const before = performance.eventLoopUtilization();
    const drawing = setInterval(() => this.#draw(), redrawMs);
    try {
      await Promise.race([this.#publishers.run(), this.#signalled.then(() => passed(lastAnswersMs))]);
      this.#ledger.unknown += this.#publishers.unanswered;
      await this.#drain();
    } finally {
      clearInterval(drawing);
    }
    const { unsent, elapsedMs, firstReason } = this.#publishers;
    const { utilization } = performance.eventLoopUtilization(before);
    return { figures: this.#ledger.figures(), elapsedMs, unsent, firstReason, busy: utilization };
  }

  /** Waits for the messages that are on their way. */
  async #drain(): Promise<void> {
    let { delivered } = this.#ledger;
    for (let stillMs = 0; !this.#ledger.isComplete && stillMs < quietMs; stillMs += stepMs) {
      await passed(stepMs);
      if (this.#ledger.delivered > delivered) stillMs = 0;
      ({ delivered } = this.#ledger);
    }
  }

  #draw(): void {
    const { acknowledged, delivered, refused, unknown } = this.#ledger;
    const seconds = this.#publishers.elapsedMs / 1_000;
    const each = (count: number): string => `${Math.round(count / seconds).toLocaleString('en')}/s`;
    const failed = refused + unknown === 0 ? '' : `, ${refused + unknown} failed`;
    this.#line.show(
      `${seconds.toFixed(0)} of ${this.#plan.durationMs / 1_000} s: acknowledged ${each(acknowledged)}, delivered ${each(delivered)}${failed}`,
    );
  }

  /** Only Fanfare can do this. A small server of the lab could crash: it takes all requests for publishes. */
  async #deleteTopics(): Promise<void> {
    if (!this.#subscribers.isFanfare) return;
    for (const topic of this.#topics) {
      try {
        const answer = await ask(this.#target, { method: 'DELETE', path: 'topic', query: { topic } });
        const code = codeOf(answer);
        if (isSuccess(answer) || code === 'topic_not_found') continue;
        if (code === 'not_authorized')
          say(`The topics ${topic.replace(/\d+$/, '…')} stay on the server: only an admin can delete them.`);
        return;
      } catch {
        return;
      }
    }
  }

  #conclude(outcome: Outcome | undefined): void {
    if (outcome && outcome.busy > busyMax)
      say(
        `This process was busy ${Math.round(outcome.busy * 100)} % of the time: it is a part of what it measured. Use a lower rate, or fewer subscribers.`,
      );
    if (outcome && outcome.unsent > 0)
      say(
        `${outcome.unsent.toLocaleString('en')} messages were due and never sent: the publishers waited for the server. Their latencies are not among the figures. Use a lower rate, or more publishers.`,
      );
    if (this.#signal !== undefined) throw new CommandError(this.#signal, '');
    if (!outcome) return;
    const { lost, repeated, altered, refused, unknown } = outcome.figures;
    if (refused + unknown > 0)
      throw new CommandError(
        exitCodes.refused,
        `Publishes failed, the first one with: ${outcome.firstReason}`,
      );
    if (lost + repeated + altered > 0)
      throw new CommandError(exitCodes.refused, 'Messages were lost, repeated or altered.');
  }
}
