import { CommandError, exitCodes } from './exit-codes.ts';
import { request, type Answer } from './request.ts';
import type { Target } from './target.ts';
import { unreachable } from './unreachable.ts';

const publishTimeoutMs = 30_000;

/** What is to be published. `messageJson` is JSON text, so that a message given as JSON goes out as it was given. */
export interface Publish {
  readonly topic: string;
  readonly messageJson: string;
  readonly id?: string | undefined;
}

/**
 * Publishes to any server that speaks the lab contract, and returns its answer: JSON text from Fanfare,
 * whatever it says from another.
 *
 * @throws CommandError `refused` with the server's reason as its message, or `unreachable`
 */
export async function publish(target: Target, { topic, messageJson, id }: Publish): Promise<string> {
  const idJson = id === undefined ? '' : `,"id":${JSON.stringify(id)}`;
  const answer = await request(target.publishUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: `{"topic":${JSON.stringify(topic)},"message":${messageJson}${idJson}}`,
    timeoutMs: publishTimeoutMs,
  }).catch((error: unknown) => {
    throw unreachable(target, error);
  });
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw new CommandError(exitCodes.refused, reasonOf(answer));
}

/** The server's own words where it has some: Fanfare's error object, or a line of text; no page of HTML. */
function reasonOf({ status, statusText, body }: Answer): string {
  const detail = detailOf(body);
  if (detail !== undefined) return detail;
  const text = body.trim();
  if (text !== '' && text.length <= 300 && !/[<{]/.test(text)) return text;
  return `HTTP ${status} ${statusText}`.trim();
}

function detailOf(body: string): string | undefined {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return typeof detail === 'string' ? detail : undefined;
  } catch {
    return undefined;
  }
}
