import { reportError } from './errors.ts';

/**
 * Where positions are kept: a browser's `localStorage`, or anything that has these two, also asynchronously.
 *
 * @example
 * const storage: PositionStorage = {
 *   getItem: (key) => readFile(key, 'utf8').catch(() => null),
 *   setItem: (key, value) => writeFile(key, value),
 * };
 */
export interface PositionStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
}

/**
 * How an application has positions kept.
 *
 * @example
 * fanfare.subscribe('orders/*', { storage: localStorage, storageKey: 'my orders' }, show);
 */
export interface PositionOptions {
  readonly storage?: PositionStorage;
  /** `fanfare:` and the topic when not given. */
  readonly storageKey?: string;
  /** Is told each position, once the message before it was handled. */
  readonly onOffset?: (offset: string) => unknown;
}

/** Up to where an application has handled what it was handed, and where that is kept. */
export class Position {
  readonly #options: PositionOptions;
  readonly #key: string;
  #offset: string | undefined;

  constructor(topic: string, options: PositionOptions) {
    this.#options = options;
    this.#key = options.storageKey ?? `fanfare:${topic}`;
  }

  get offset(): string | undefined {
    return this.#offset;
  }

  /** Undefined when there is nothing to wait for. Rejects as the storage does. */
  load(): Promise<void> | undefined {
    return this.#options.storage && this.#read(this.#options.storage);
  }

  /** Resolves once it is kept, or could not be. */
  async move(offset: string): Promise<void> {
    this.#offset = offset;
    const { storage, onOffset } = this.#options;
    try {
      await storage?.setItem(this.#key, offset);
      await onOffset?.(offset);
    } catch (error) {
      reportError(error);
    }
  }

  async #read(storage: PositionStorage): Promise<void> {
    this.#offset = (await storage.getItem(this.#key)) ?? undefined;
  }
}
