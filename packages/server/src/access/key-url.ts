import { FanfareError } from '@fanfare/protocol';
import type { Algorithm } from './algorithms.ts';
import { KeyError, parseKeySet, type VerificationKey } from './jwt-keys.ts';
import { KeySet } from './key-set.ts';

export interface KeyUrlOptions {
  readonly url: string;
  /** In milliseconds; may be any clock that goes on. */
  readonly now: () => number;
  readonly onChange: () => void;
  /** The keys could not be fetched: those that there were stay. */
  readonly onFailure: (error: Error) => void;
  /** Some keys are not used: one sentence. */
  readonly onWarning: (sentence: string) => void;
}

/** For so long fetched keys count without being asked for again. */
const freshMs = 600_000;

/** Between two requests there is at least so much time, however many tokens name keys that nobody knows. */
const cooldownMs = 30_000;

/** The same after one that was to no avail. */
const retryMs = 5_000;

/** Whoever may read a key of a URL could make tokens with it. */
const symmetric =
  'Symmetric keys (`kty: oct`) of a URL are not used: anyone who can read them could make tokens. Give a secret as `keyFile`.';

const timeoutMs = 5_000;
const bytesMax = 262_144;

/**
 * Keys that are fetched from a URL, for the first time when a token comes that could be one. While they cannot be fetched
 * again, those that there are go on counting.
 */
export class KeyUrl {
  readonly #options: KeyUrlOptions;
  #keys: KeySet | undefined;
  #text = '';
  #fetchedAt = -Infinity;
  #askedAt = -Infinity;
  /** Whether that, when it was asked for last, was to no avail. */
  #isFailing = false;
  #asking: Promise<void> | undefined;

  constructor(options: KeyUrlOptions) {
    this.#options = options;
  }

  /** Asks for the keys again behind what goes on, when it is time: what was fetched once is not true for ever. */
  refresh(): void {
    if (this.#keys && this.#options.now() - this.#fetchedAt > freshMs) void this.#ask();
  }

  /**
   * Those that a token can have been signed with. Keys that were fetched before come first; when no key of the token's name is
   * among them, the keys are fetched again, if it is time, and those that are new follow.
   *
   * @throws FanfareError `keys_unavailable` when nobody knows whether there are others by now
   */
  async *matching(
    kid: string | undefined,
    algorithm: Algorithm,
  ): AsyncGenerator<VerificationKey, void, undefined> {
    const known = this.#keys;
    if (known) {
      this.refresh();
      yield* known.matching(kid, algorithm);
      if (known.names(kid, algorithm)) return;
    }
    await this.#ask();
    if (this.#keys && this.#keys !== known) yield* this.#keys.matching(kid, algorithm);
    if (this.#isFailing)
      throw new FanfareError('keys_unavailable', 'The key for this token cannot be had just now.');
  }

  #ask(): Promise<void> {
    if (this.#asking) return this.#asking;
    const now = this.#options.now();
    if (now - this.#askedAt < (this.#isFailing ? retryMs : cooldownMs)) return Promise.resolve();
    this.#askedAt = now;
    this.#asking = this.#tryToFetch().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #tryToFetch(): Promise<void> {
    try {
      await this.#fetch();
      this.#isFailing = false;
    } catch (error) {
      this.#isFailing = true;
      this.#options.onFailure(error as Error);
    }
  }

  async #fetch(): Promise<void> {
    const response = await fetch(this.#options.url, {
      redirect: 'error',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw new KeyError(`The URL answers with HTTP ${response.status}.`);
    const text = await readText(response);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new KeyError('The URL answers with what is no JSON.');
    }
    const all = parseKeySet(value);
    const keys = all.filter(({ key }) => key.type !== 'secret');
    if (keys.length === 0) throw new KeyError(symmetric);
    this.#fetchedAt = this.#options.now();
    if (text === this.#text) return;
    this.#text = text;
    if (keys.length < all.length) this.#options.onWarning(symmetric);
    this.#keys = new KeySet(keys);
    this.#options.onChange();
  }
}

async function readText({ body }: Response): Promise<string> {
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader();
  if (!reader) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  let isLate = false;
  // The signal does not see to this: what it would end may be garbage, and collected, once the head has come.
  const timer = setTimeout(() => {
    isLate = true;
    void reader.cancel().catch(() => {});
  }, timeoutMs);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw new KeyError(`The URL takes longer than ${timeoutMs} ms to answer.`);
      if (done) return text;
      bytes += value.length;
      if (bytes > bytesMax) throw new KeyError(`The URL answers with more than ${bytesMax} bytes.`);
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
}
