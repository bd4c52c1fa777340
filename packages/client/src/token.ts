import { fieldsOf } from './errors.ts';

/**
 * A token, or a function that fetches a fresh one. It is called before every connection, and before the token
 * expires.
 *
 * @example
 * const token: TokenSource = async () => (await fetch('/my-token')).text();
 */
export type TokenSource = string | (() => string | Promise<string>);

/**
 * How long before its expiry a token is renewed. A short token is renewed in the last fifth of its lifetime.
 */
const renewalLeadMs = 60_000;

/** The longest delay of a timer. */
const timerMsMax = 2 ** 31 - 1;

/** The token of a connection, and its renewal before it expires. */
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

  /** Fetches a fresh token. Rejects if the function of the app does. */
  async fetch(): Promise<string | undefined> {
    const source = this.#source;
    this.#current = typeof source === 'function' ? await source() : source;
    return this.#current;
  }

  /** The current token, or a fresh one if it has expired. */
  async current(): Promise<string | undefined> {
    const end = endOf(this.#current);
    return this.#current !== undefined && (end === undefined || end > Date.now())
      ? this.#current
      : this.fetch();
  }

  /** Calls back once, before the token expires. Never, if its expiry is unknown or it cannot be renewed. */
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

/**
 * The expiry (`exp`) of a JWT, in milliseconds since 1970. The signature is not verified: the server does
 * that.
 */
function endOf(token: string | undefined): number | undefined {
  try {
    const claims = (token?.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const { exp } = fieldsOf(JSON.parse(atob(claims)));
    return typeof exp === 'number' ? exp * 1_000 : undefined;
  } catch {
    return undefined;
  }
}
