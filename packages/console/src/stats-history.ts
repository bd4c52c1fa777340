import type { Stats } from '@fanfare/protocol';
import { messageOf, type Api } from './api.ts';
import { appendSample, sampleOf, type Sample } from './stats-samples.ts';

export interface StatsView {
  readonly samples: readonly Sample[];
  readonly latest?: Stats;
  /** Why the last request for figures failed. */
  readonly error?: string;
}

const pollMs = 1_000;

/**
 * Fetches the figures of the server once a second, on every page, so that the charts have the last minutes.
 */
export class StatsHistory {
  readonly #api: Api;
  readonly #listeners = new Set<() => void>();
  #view: StatsView = { samples: [] };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(api: Api) {
    this.#api = api;
  }

  get view(): StatsView {
    return this.#view;
  }

  readonly onChange = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  start(): void {
    void this.#poll();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #poll(): Promise<void> {
    const startedAt = performance.now();
    const { samples, latest: before } = this.#view;
    try {
      const latest = await this.#api.stats();
      this.#view = { samples: appendSample(samples, sampleOf(latest, before)), latest };
    } catch (error) {
      this.#view = { samples, ...(before && { latest: before }), error: messageOf(error) };
    }
    if (this.#isStopped) return;
    for (const listener of this.#listeners) listener();
    const tookMs = performance.now() - startedAt;
    this.#timer = setTimeout(() => void this.#poll(), Math.max(0, pollMs - tookMs));
  }
}
