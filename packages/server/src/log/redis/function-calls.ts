import type { Argument } from './library.ts';
import { FunctionMissingError } from './redis-errors.ts';
import type { RedisLink } from './redis-link.ts';

/** A call that waits until the functions are loaded. */
interface WaitingCall {
  readonly order: number;
  readonly send: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Calls our functions on one connection, and loads them if Redis does not have them.
 *
 * Calls take effect in the order in which they were made, even if Redis loses the functions in between: a
 * call that found no function is made again after the functions are loaded, and before any later call.
 */
export class FunctionCalls {
  readonly #link: RedisLink;
  readonly #code: string;
  readonly #key: string;
  #order = 0;
  #isLoading = false;
  #waiting: WaitingCall[] = [];

  /**
   * @param code - of the library, for `FUNCTION LOAD`
   * @param key - a key in the slot of the log; functions get it as their only key
   */
  constructor(link: RedisLink, code: string, key: string) {
    this.#link = link;
    this.#code = code;
    this.#key = key;
  }

  async call(name: string, args: readonly Argument[]): Promise<unknown> {
    const order = ++this.#order;
    const send = (): Promise<unknown> => this.#link.send('FCALL', [name, 1, this.#key, ...args]);
    if (this.#isLoading) return this.#sendLoaded(order, send);
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof FunctionMissingError)) throw error;
      return this.#sendLoaded(order, send);
    }
  }

  #sendLoaded(order: number, send: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ order, send: () => void send().then(resolve, reject), fail: reject });
      if (!this.#isLoading) this.#load();
    });
  }

  #load(): void {
    this.#isLoading = true;
    // Not with REPLACE: functions that another server has loaded meanwhile would lose their variables.
    this.#link
      .send('FUNCTION', ['LOAD', this.#code])
      .catch(acceptExisting)
      .then(
        () => {
          for (const { send } of this.#takeWaiting()) send();
        },
        (error: unknown) => {
          for (const { fail } of this.#takeWaiting()) fail(error);
        },
      );
  }

  #takeWaiting(): readonly WaitingCall[] {
    const waiting = this.#waiting.toSorted((one, other) => one.order - other.order);
    this.#waiting = [];
    this.#isLoading = false;
    return waiting;
  }
}

/** A library of this name has the same code: the name has a digest of it. */
function acceptExisting(error: unknown): void {
  if (!(error instanceof Error) || !/Library '.*' already exists/.test(error.message)) throw error;
}
