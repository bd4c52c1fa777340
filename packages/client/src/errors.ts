/**
 * Error codes of the SDK itself, in addition to those of servers (PROTOCOL §6):
 *
 * - `queue_full`: too many publishes wait for their acknowledgements
 * - `not_answered`: a publish was not acknowledged in time; it may have succeeded
 * - `unreachable`: the server cannot be reached
 * - `closed`: {@link Fanfare.close} was called before
 *
 * @example
 * const full: ClientErrorCode = 'queue_full';
 * if (error instanceof FanfareError && error.code === full) slowDown();
 */
export type ClientErrorCode = 'queue_full' | 'not_answered' | 'unreachable' | 'closed';

/**
 * The error of every operation of the SDK.
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
  /** Whether a retry can succeed. */
  readonly retryable: boolean;
  /** With `rate_limited`: the time after which a retry can succeed, in milliseconds. */
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

/** Reads the error object of a server (PROTOCOL §6). Other servers may send anything in its place. */
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

/** The fields of a received object. Anything else has no fields. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/**
 * Throws the error of an application's callback as an unhandled error, so that it cannot break the caller.
 */
export function reportError(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
