/**
 * What the SDK itself refuses with, beside the codes that a server answers with (PROTOCOL §6):
 *
 * - `queue_full`: more publishes wait for their answer than may
 * - `not_answered`: a publish was not answered in time; it may have happened
 * - `unreachable`: the server does not answer
 * - `closed`: {@link Fanfare.close} was called first
 *
 * @example
 * const full: ClientErrorCode = 'queue_full';
 * if (error instanceof FanfareError && error.code === full) slowDown();
 */
export type ClientErrorCode = 'queue_full' | 'not_answered' | 'unreachable' | 'closed';

/**
 * Why something did not succeed.
 *
 * @example
 * try {
 *   await fanfare.publish('orders/7', order);
 * } catch (error) {
 *   if (error instanceof FanfareError && error.code === 'topic_not_found') console.log('nobody listens yet');
 * }
 */
export class FanfareError extends Error {
  override readonly name = 'FanfareError';
  /** A {@link ClientErrorCode}, or one of PROTOCOL §6. */
  readonly code: string;
  /** Whether the same can succeed later. */
  readonly retryable: boolean;
  /** In how many milliseconds it can; there with `rate_limited`. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    detail: string,
    retryable: boolean,
    {
      retryAfterMs,
      ...options
    }: { readonly cause?: unknown; readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(detail, options);
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A server's error object (PROTOCOL §6), or whatever another server sends in its place. */
export function errorFrom(problem: unknown): FanfareError {
  const { code, detail, retryable, retryAfterMs } = fieldsOf(problem);
  return new FanfareError(
    textOf(code) ?? 'internal',
    textOf(detail) ?? 'The server gave no reason.',
    retryable === true,
    { retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined },
  );
}

export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object that came from a server; of anything else, none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Has a program's handler fail as one of any other event would: unhandled, and without harm to what called it. */
export function reportError(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
