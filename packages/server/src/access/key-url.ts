import { FanfareError } from '@fanfare/protocol';
import type { Check } from '../observability/readiness.ts';
import type { Algorithm } from './algorithms.ts';
import { KeyError, parseKeySet, type VerificationKey } from './jwt-keys.ts';
import { KeySet } from './key-set.ts';

export interface KeyUrlOptions {
  readonly url: string;
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number;
  readonly onChange: () => void;
  /** Called if the keys cannot be fetched. The last keys stay in use. */
  readonly onFailure: (error: Error) => void;
  /** Called with a warning, one sentence: some keys of the URL are not used. */
  readonly onWarning: (sentence: string) => void;
}

/** The time after which keys are fetched again, in milliseconds. */
const freshMs = 600_000;

/** The least time between two requests, however many tokens name unknown keys. */
const cooldownMs = 30_000;

/** The least time after a request that failed. */
const retryMs = 5_000;

/** Anyone who can read a secret from the URL could make tokens with it. */
const symmetric =
  'Symmetric keys (`kty: oct`) of a URL are not used: anyone who can read them could make tokens. Give a secret as `keyFile`.';

const timeoutMs = 5_000;
const bytesMax = 262_144;

/**
 * Keys from a URL, fetched for the first time when a token needs them. While they cannot be fetched again,
 * the last keys stay in use.
 */
export class KeyUrl {
  readonly #options: KeyUrlOptions;
  #keys: KeySet | undefined;
  #text = '';
  #fetchedAt = -Infinity;
  #askedAt = -Infinity;
  /** Whether the last request failed. */
  #isFailing = false;
  #asking: Promise<void> | undefined;

  constructor(options: KeyUrlOptions) {
    this.#options = options;
  }

  /**
   * Whether there are keys. Without any, it asks for them in the background: a load balancer sends no client
   * whose token would.
   */
  check(): Check {
    if (!this.#keys) {
      void this.#ask();
      return { ok: false, reason: 'The keys for tokens have not been fetched.' };
    }
    if (!this.#isFailing) return { ok: true };
    return { ok: true, warning: 'The keys for tokens cannot be fetched again. The last ones stay in use.' };
  }

  /** Fetches the keys again in the background if they are too old. */
  refresh(): void {
    if (this.#keys && this.#options.now() - this.#fetchedAt > freshMs) void this.#ask();
  }

  /**
   * The keys with which a token can have been signed. Keys that were fetched before come first. If none of
   * them has the token's `kid`, the keys are fetched again, if enough time has passed, and new keys follow.
   *
   * @throws FanfareError `keys_unavailable` if the latest keys could not be fetched
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
      throw new FanfareError(
        'keys_unavailable',
        'The key for this token cannot be fetched at the moment: retry later.',
      );
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
    if (!response.ok) throw new KeyError(`The URL responds with HTTP ${response.status}.`);
    const text = await readText(response);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new KeyError('The response of the URL is not JSON.');
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
  // The signal is not enough: once the head has arrived, the object that it would abort may have been
  // collected.
  const timer = setTimeout(() => {
    isLate = true;
    void reader.cancel().catch(() => {});
  }, timeoutMs);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw new KeyError(`The URL takes longer than ${timeoutMs} ms to respond.`);
      if (done) return text;
      bytes += value.length;
      if (bytes > bytesMax) throw new KeyError(`The response of the URL has more than ${bytesMax} bytes.`);
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
}
