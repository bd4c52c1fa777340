import type { Envelope, HistoryPage, Problem, PublishAnswer } from '@fanfare/protocol';
import { until } from '../../../../test/waits.ts';
import type { Kept, Outcome } from './history.ts';
import type { Stored } from './world.ts';

export interface PublishRequest {
  readonly topic: string;
  readonly message: unknown;
  readonly id?: string;
}

const unknown: Outcome = { kind: 'unknown' };

/**
 * Publishes one message or an array of messages over HTTP, and returns the outcome of each.
 *
 * @param stored - the level that each acknowledgement must name
 */
export async function publishHttp(
  url: string,
  request: PublishRequest | readonly PublishRequest[],
  stored: Stored = 'disk',
): Promise<readonly Outcome[]> {
  const count = Array.isArray(request) ? request.length : 1;
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(`${url}/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(request),
    });
    body = await response.json();
  } catch {
    return Array.from({ length: count }, () => unknown);
  }
  if (!response.ok) {
    const error = body as Problem;
    const outcome = outcomeOf({ ok: false, error: { ...error, status: response.status } }, stored);
    return Array.from({ length: count }, () => outcome);
  }
  const answers = Array.isArray(request) ? body : [body];
  if (!Array.isArray(answers) || answers.length !== count) {
    throw new Error(`${count} publishes were answered ${JSON.stringify(body)}`);
  }
  return (answers as PublishAnswer[]).map((answer) => outcomeOf(answer, stored));
}

/** The outcome that a response proves. @param level - the level that an acknowledgement must name */
export function outcomeOf(answer: PublishAnswer, level: Stored = 'disk'): Outcome {
  if (!answer.ok) {
    const { code, status } = answer.error;
    const didNotHappen =
      (status >= 400 && status < 500) || code === 'storage_unavailable' || code === 'draining';
    return didNotHappen ? { kind: 'fail', code } : unknown;
  }
  const { offset, time, stored, duplicate } = answer;
  if (stored !== level || offset === undefined) throw new Error(`answered ${JSON.stringify(answer)}`);
  return { kind: 'ok', offset, time, ...(duplicate !== undefined && { duplicate }) };
}

/** An envelope of a topic that keeps messages. */
export type StoredEnvelope = Envelope & { readonly offset: string };

/** A page of topics that keep messages. */
type StoredPage = HistoryPage & { readonly messages: readonly StoredEnvelope[] };

export function keptOf({ topic, message, offset, time, id }: StoredEnvelope): Kept {
  return { topic, content: JSON.stringify(message), offset, time, ...(id !== undefined && { id }) };
}

/** A million messages are a thousand pages. */
const historyMs = 240_000;

/**
 * Reads all messages of the log, page by page.
 *
 * @param onRead - gets each message as it is read: what was read before a refusal is read all the same
 * @throws HttpRefusal
 */
export async function readHistory(
  url: string,
  interest = '**',
  limit = 1000,
  onRead: (message: Kept) => void = () => {},
): Promise<readonly Kept[]> {
  const kept: Kept[] = [];
  const path = `${url}/topics/${encodeURIComponent(interest).replaceAll('*', '%2A')}/messages`;
  let page: StoredPage | undefined;
  const readNext = async (): Promise<void> => {
    const from = encodeURIComponent(page?.next ?? 'earliest');
    const response = await fetch(`${path}?from=${from}&limit=${limit}`, {
      headers: { accept: 'application/json' },
    });
    if (!response.ok) throw new HttpRefusal(response.status, await response.text());
    const next = (await response.json()) as StoredPage;
    if (page?.next === next.next && next.more) throw new Error(`reading does not get past ${next.next}`);
    page = next;
    const read = page.messages.map(keptOf);
    read.forEach((message) => onRead(message));
    kept.push(...read);
  };
  await readNext();
  await until('the last page of the history is read', () => page?.more !== true, {
    step: readNext,
    soFar: () => `${kept.length} messages`,
    ms: historyMs,
  });
  return kept;
}

/** Declares topics, so that they exist without subscribers. */
export async function declareTopics(url: string, topics: readonly string[]): Promise<void> {
  for (const topic of topics) {
    const response = await fetch(`${url}/topics/${encodeURIComponent(topic)}`, { method: 'PUT' });
    if (!response.ok) throw new HttpRefusal(response.status, await response.text());
    await response.arrayBuffer();
  }
}

export class HttpRefusal extends Error {
  readonly status: number;
  readonly code: string | undefined;

  constructor(status: number, body: string) {
    super(`${status} ${body}`);
    this.status = status;
    this.code = /"code":\s*"([a-z_]+)"/.exec(body)?.[1];
  }
}
