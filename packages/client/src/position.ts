import { reportError } from './errors.ts';

/**
 * Storage for positions: `localStorage` of a browser, or any object with these two methods, which can be
 * asynchronous.
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
 * How the position of a subscription is stored.
 *
 * @example
 * fanfare.subscribe('orders/*', { storage: localStorage, storageKey: 'my orders' }, show);
 */
export interface PositionOptions {
  readonly storage?: PositionStorage;
  /** The key in the storage. Default: `fanfare:` followed by the topic. */
  readonly storageKey?: string;
  /** Called with each new offset, after the message before it was handled. */
  readonly onOffset?: (offset: string) => unknown;
}

/** The position up to which the application has handled messages, and its storage. */
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

  /** Loads the stored offset. Undefined if there is no storage. Rejects if the storage does. */
  load(): Promise<void> | undefined {
    return this.#options.storage && this.#read(this.#options.storage);
  }

  /** Moves the position. Resolves when it is stored, or when storing has failed. */
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
