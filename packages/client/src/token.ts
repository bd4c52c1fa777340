import { fieldsOf } from './errors.ts';

/**
 * A token, or a function that fetches a fresh one: before every connection, and before the last one ends.
 *
 * @example
 * const token: TokenSource = async () => (await fetch('/my-token')).text();
 */
export type TokenSource = string | (() => string | Promise<string>);

/** A token is renewed so long before its end, or in the last fifth of its time if that is later. */
const renewalLeadMs = 60_000;

/** What a timer can wait for. */
const timerMsMax = 2 ** 31 - 1;

/** The token of a connection, which has it renewed in time. */
export class Token {
  readonly #source: TokenSource | undefined;
  #current: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: TokenSource | undefined) {
    this.#source = source;
  }

  get isRenewable(): boolean {
    return typeof this.#source === 'function';
  }

  /** A fresh one. Rejects as the app's function does. */
  async fetch(): Promise<string | undefined> {
    const source = this.#source;
    this.#current = typeof source === 'function' ? await source() : source;
    return this.#current;
  }

  /** One that still counts. */
  async current(): Promise<string | undefined> {
    const end = endOf(this.#current);
    return this.#current !== undefined && (end === undefined || end > Date.now())
      ? this.#current
      : this.fetch();
  }

  /** Calls back once, before the token ends; not when nobody knows its end, or there is no other. */
  onRenewal(renew: () => void): void {
    clearTimeout(this.#timer);
    const end = endOf(this.#current);
    if (end === undefined || !this.isRenewable) return;
    const leftMs = end - Date.now();
    this.#timer = setTimeout(
      renew,
      Math.min(timerMsMax, Math.max(leftMs - renewalLeadMs, leftMs * 0.8, 1_000)),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** The `exp` of a JWT, in milliseconds since 1970. Nothing is verified: that is the server's to do. */
function endOf(token: string | undefined): number | undefined {
  try {
    const claims = (token?.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const { exp } = fieldsOf(JSON.parse(atob(claims)));
    return typeof exp === 'number' ? exp * 1_000 : undefined;
  } catch {
    return undefined;
  }
}
