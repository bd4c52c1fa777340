import fc, { type Arbitrary } from 'fast-check';
import { openThreadTime } from './thread-time.mjs';

/** What is fed. It may be anything that a client can send. */
export interface Target<Input> {
  /**
   * Takes an input; resolves once all that comes of it has happened.
   *
   * @returns how many inputs it was, where it is not one: what was not taken any more is none
   */
  feed(input: Input): Promise<number | void> | number | void;
  /** Undefined when a client that does nothing wrong is still served, else what is wrong. */
  complaint(): Promise<string | undefined>;
}

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  readonly heapBytes: () => number;
  readonly heldMsMax?: number;
  readonly heapGrowthBytesMax?: number;
}

export interface Fuzzed {
  readonly inputs: number;
  /** In words. */
  readonly faults: readonly string[];
}

const batchSize = 500;

/**
 * Feeds inputs, and looks for whatever no input may do: leave a rejection or an exception unhandled, hold the event loop, leave
 * something behind on the heap, keep a client that does nothing wrong from being served, or end the process.
 */
export async function fuzz<Input>(
  inputs: Arbitrary<Input>,
  target: Target<Input>,
  { inputs: total, seed, ...limits }: FuzzOptions,
): Promise<Fuzzed> {
  const { heldMsMax = 50, heapGrowthBytesMax = 8 * 2 ** 20 } = limits;
  const faults: string[] = [];
  const watch = new Watch(heldMsMax);
  let fed = 0;
  let heapBefore: number | undefined;
  try {
    for (let batch = 0; fed < total && faults.length === 0; batch++) {
      for (const input of fc.sample(inputs, { numRuns: batchSize, seed: seed + batch })) {
        faults.push(...(await watch.feed(input, target)));
        fed += watch.taken;
        if (fed >= total || faults.length > 0) break;
      }
      const complaint = await target.complaint();
      if (complaint !== undefined) faults.push(`${complaint}, after batch ${batch}`);
      // Up to then code is compiled and caches fill.
      if (fed >= total / 3) heapBefore ??= limits.heapBytes();
    }
    const growth = heapBefore === undefined ? 0 : limits.heapBytes() - heapBefore;
    if (growth > heapGrowthBytesMax) faults.push(`the heap grew by ${growth} bytes`);
  } finally {
    watch.end();
  }
  return { inputs: fed, faults };
}

/** What is watched while an input is taken. */
class Watch {
  readonly #heldMsMax: number;
  readonly #threadTimeMs = openThreadTime();
  /** How many inputs the last one was. */
  taken = 0;
  #unhandled: unknown[] = [];
  readonly #onUnhandled = (reason: unknown): void => void this.#unhandled.push(reason);
  readonly #others = (['unhandledRejection', 'uncaughtException'] as const).map((event) => ({
    event,
    listeners: process.listeners(event as 'uncaughtException'),
  }));

  constructor(heldMsMax: number) {
    this.#heldMsMax = heldMsMax;
    for (const { event } of this.#others) process.removeAllListeners(event).on(event, this.#onUnhandled);
  }

  end(): void {
    for (const { event, listeners } of this.#others) {
      process.off(event, this.#onUnhandled);
      for (const listener of listeners) process.on(event, listener);
    }
  }

  async feed<Input>(input: Input, target: Target<Input>): Promise<string[]> {
    let heldMs = await this.#heldBy(input, target);
    // A collection of garbage, say, is nothing that the input has done: what has is held again.
    for (let again = 0; again < 2 && heldMs > this.#heldMsMax; again++)
      heldMs = Math.min(heldMs, await this.#heldBy(input, target));
    const faults = this.#unhandled.map((reason) => `unhandled: ${describeError(reason)}`);
    if (heldMs > this.#heldMsMax) faults.push(`the event loop was held for ${heldMs.toFixed(1)} ms`);
    this.#unhandled = [];
    return faults.map((fault) => `${fault} by ${fc.stringify(input).slice(0, 2_000)}`);
  }

  /** @returns the longest turn, in milliseconds */
  async #heldBy<Input>(input: Input, target: Target<Input>): Promise<number> {
    let heldMs = 0;
    let lastMs = this.#threadTimeMs();
    const note = (): void => {
      const nowMs = this.#threadTimeMs();
      heldMs = Math.max(heldMs, nowMs - lastMs);
      lastMs = nowMs;
    };
    let isOver = false;
    const turn = (): void => {
      note();
      if (!isOver) setImmediate(turn);
    };
    const fed = target.feed(input);
    note();
    if (!(fed instanceof Promise)) {
      this.taken = fed ?? 1;
      return heldMs;
    }
    setImmediate(turn);
    this.taken = (await fed) ?? 1;
    isOver = true;
    note();
    return heldMs;
  }
}

function describeError(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
}

/** How many inputs there are to be: `npm test` has the usual number, FANFARE_FUZZ any other. */
export function inputsOf(usual: number): number {
  return Math.max(1, Math.round(usual * Number(process.env['FANFARE_FUZZ'] ?? 1)));
}

/** Of this run; FANFARE_SEED repeats another. It is printed, for what fails has to be had again. */
export function seedOf(what: string): number {
  const seed = Number(process.env['FANFARE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${what}: FANFARE_SEED=${seed}`);
  return seed;
}
