/** The error codes of PROTOCOL.md §6. */
export type ErrorCode =
  | 'bad_request'
  | 'topic_name_invalid'
  | 'topic_name_reserved'
  | 'not_authenticated'
  | 'token_expired'
  | 'keys_unavailable'
  | 'not_authorized'
  | 'topic_not_found'
  | 'connection_not_found'
  | 'not_found'
  | 'method_not_allowed'
  | 'id_conflict'
  | 'payload_too_large'
  | 'payload_too_deep'
  | 'limit_exceeded'
  | 'rate_limited'
  | 'internal'
  | 'storage_unavailable'
  | 'outcome_unknown'
  | 'log_damaged'
  | 'settings_invalid'
  | 'draining';

interface ErrorKind {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
}

/**
 * The meaning of each error code: its default HTTP status, its title, and whether a retry can succeed. Codes
 * are stable: they are never renamed and never reused.
 */
export const errorCodes: Readonly<Record<ErrorCode, ErrorKind>> = {
  bad_request: { status: 400, title: 'The request is malformed', retryable: false },
  topic_name_invalid: { status: 400, title: 'The topic name is not valid', retryable: false },
  topic_name_reserved: {
    status: 400,
    title: 'The topic name cannot be delivered as an event',
    retryable: false,
  },
  not_authenticated: { status: 401, title: 'The client is not authenticated', retryable: false },
  token_expired: { status: 401, title: 'The token has expired', retryable: false },
  keys_unavailable: { status: 503, title: 'Tokens cannot be verified', retryable: true },
  not_authorized: { status: 403, title: 'Not allowed', retryable: false },
  topic_not_found: { status: 404, title: 'The topic does not exist', retryable: true },
  connection_not_found: { status: 404, title: 'The connection does not exist', retryable: false },
  not_found: { status: 404, title: 'Nothing exists at this path', retryable: false },
  method_not_allowed: { status: 405, title: 'This path does not support this method', retryable: false },
  id_conflict: { status: 409, title: 'The id belongs to another message', retryable: false },
  payload_too_large: { status: 413, title: 'The payload is too large', retryable: false },
  payload_too_deep: { status: 400, title: 'The message is nested too deeply', retryable: false },
  limit_exceeded: { status: 429, title: 'A limit of the server was reached', retryable: true },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  internal: { status: 500, title: 'The server failed', retryable: true },
  storage_unavailable: { status: 503, title: 'The log cannot be written', retryable: true },
  outcome_unknown: { status: 503, title: 'The request may or may not have taken effect', retryable: true },
  log_damaged: { status: 500, title: 'Messages in the log are damaged', retryable: false },
  settings_invalid: { status: 422, title: 'The settings are wrong', retryable: false },
  draining: { status: 503, title: 'The server is shutting down', retryable: true },
};

/** A wrong field of a request, and its fault. `field` is its name in the request, such as `topic`. */
export interface FieldError {
  readonly field: string;
  readonly detail: string;
}

/**
 * The error object (RFC 9457): the body of an HTTP response, and the argument of acknowledgements and of the
 * event `error`.
 */
export interface Problem {
  readonly type: string;
  readonly title: string;
  /** The HTTP status. Over Socket.IO, the status that an HTTP response would have. */
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  /** Whether a retry of the same request can succeed. */
  readonly retryable: boolean;
  /** With `rate_limited`: the time after which a retry can succeed, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly errors?: readonly FieldError[];
}

/** The acknowledgement of a command that was refused. */
export interface Refused {
  readonly ok: false;
  readonly error: Problem;
}

/**
 * A refusal with a code of PROTOCOL.md §6. Code that refuses a request throws it, and the HTTP route or
 * socket event turns it into a {@link Problem}. The client sees its texts, so they must not contain secrets.
 */
export class FanfareError extends Error {
  readonly code: ErrorCode;
  /** The HTTP status of the response: that of the code, unless another one was given. */
  readonly status: number;
  readonly fields: readonly FieldError[];
  /** The time after which a retry can succeed, in milliseconds, if it is known. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    options: {
      readonly status?: number;
      readonly fields?: readonly FieldError[];
      readonly retryAfterMs?: number;
      readonly cause?: unknown;
    } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FanfareError';
    this.code = code;
    this.status = options.status ?? errorCodes[code].status;
    this.fields = options.fields ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }

  toProblem(): Problem {
    const { title, retryable } = errorCodes[this.code];
    return {
      type: `urn:fanfare:error:${this.code}`,
      title,
      status: this.status,
      detail: this.message,
      code: this.code,
      retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.fields.length > 0 ? { errors: this.fields } : {}),
    };
  }
}

/**
 * Creates the error for one wrong field of a request. `detail` is the message of the error and of the field.
 */
export function refuseField(code: ErrorCode, field: string, detail: string): FanfareError {
  return new FanfareError(code, detail, { fields: [{ field, detail }] });
}
