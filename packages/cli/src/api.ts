import { CommandError, exitCodes } from './exit-codes.ts';
import { refusalReason } from './error-hints.ts';
import { request, type Answer, type Request } from './http-request.ts';
import type { Target } from './server-target.ts';
import { unreachableError } from './connection-errors.ts';

const answerTimeoutMs = 30_000;

export interface Ask {
  readonly method: Request['method'];
  /** The path, relative to the URL of the server. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: string;
}

/**
 * Sends an HTTP request to a server, with the token if there is one.
 *
 * @throws CommandError `unreachable`
 */
export async function ask(target: Target, { method, path, query, contentType, body }: Ask): Promise<Answer> {
  const search = query ? `?${new URLSearchParams(query).toString()}` : '';
  const headers: Record<string, string> = { accept: 'application/json' };
  if (contentType !== undefined) headers['content-type'] = contentType;
  if (target.token !== undefined) headers['authorization'] = `Bearer ${target.token}`;
  return request(`${target.name}/${path}${search}`, {
    method,
    headers,
    timeoutMs: answerTimeoutMs,
    ca: target.ca,
    ...(body !== undefined && { body }),
  }).catch((error: unknown) => {
    throw unreachableError(target, error);
  });
}

/**
 * Sends a request that only Fanfare supports, not every server of the lab contract.
 *
 * @param what - the action, for the error message: `list the topics`
 * @throws CommandError `unreachable`, or `refused` with the server's reason
 */
export async function askFanfare(target: Target, what: string, question: Ask): Promise<Answer> {
  const answer = await ask(target, question);
  if (isSuccess(answer)) return answer;
  const { status } = answer;
  const isForeign = (status === 404 || status === 405 || status === 501) && codeOf(answer) === undefined;
  const reason = isForeign
    ? `${target.name} does not support this. Is it a Fanfare server?`
    : refusalReason(reasonOf(answer), codeOf(answer), target);
  throw new CommandError(exitCodes.refused, `Failed to ${what}: ${reason}`);
}

/** Parses a response of Fanfare. @throws CommandError if it does not have the expected shape */
export function parseAnswer<T extends object>(
  target: Target,
  { body }: Answer,
  isOne: (value: T) => boolean,
): T {
  try {
    const value = JSON.parse(body) as T | null;
    if (typeof value === 'object' && value !== null && isOne(value)) return value;
  } catch {
    // The error below says so.
  }
  throw new CommandError(
    exitCodes.refused,
    `${target.name} responds, but not like a Fanfare server. Is the URL correct?`,
  );
}

export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** The reason in a response: the detail of Fanfare's error object, or a short text that is not HTML. */
export function reasonOf(answer: Answer): string {
  const { status, statusText, body } = answer;
  const detail = textIn(body, 'detail');
  if (detail !== undefined) return detail;
  const text = body.trim();
  if (text !== '' && text.length <= 300 && !/[<{]/.test(text)) return text;
  return `HTTP ${status} ${statusText}`.trim();
}

/** The error code in a response of Fanfare. */
export function codeOf({ body }: Answer): string | undefined {
  return textIn(body, 'code');
}

function textIn(body: string, name: 'code' | 'detail'): string | undefined {
  try {
    const text = (JSON.parse(body) as Record<string, unknown>)[name];
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}
