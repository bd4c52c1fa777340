import fc, { type Arbitrary } from 'fast-check';
import { openThreadTime } from './thread-time.mjs';

/** The inputs. They can be anything that a client can send. */
export interface Target<Input> {
  /**
   * Processes an input; resolves once all its effects have happened.
   *
   * @returns the number of inputs if it is not one; an input that was not processed does not count
   */
  feed(input: Input): Promise<number | void> | number | void;
  /** Undefined if a well-behaved client is still served, else the problem. */
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
  /** The faults in words. */
  readonly faults: readonly string[];
}

const batchSize = 500;

/**
 * Feeds inputs, and looks for effects that no input may have: an unhandled rejection or exception, a blocked
 * event loop, a memory leak, a well-behaved client that is not served, or the end of the process.
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

/** The measurements during an input. */
class Watch {
  readonly #heldMsMax: number;
  readonly #threadTimeMs = openThreadTime();
  /** The number of inputs in the last one. */
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
    // A long turn may come from garbage collection. Only an input that causes it again is at fault.
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

/** The number of inputs: `npm test` uses the default, FANFARE_FUZZ sets another one. */
export function inputsOf(usual: number): number {
  return Math.max(1, Math.round(usual * Number(process.env['FANFARE_FUZZ'] ?? 1)));
}

/**
 * The seed of this run; FANFARE_SEED repeats another run. It is printed so that a failure can be repeated.
 */
export function seedOf(what: string): number {
  const seed = Number(process.env['FANFARE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${what}: FANFARE_SEED=${seed}`);
  return seed;
}
