import { ask, askFanfare, codeOf, isSuccess, reasonOf } from './api.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { refusalReason } from './error-hints.ts';
import type { Target } from './server-target.ts';

/** A publish. `messageJson` is JSON text, so that a message that the user gave as JSON is sent unchanged. */
export interface Publish {
  readonly topic: string;
  readonly messageJson: string;
  readonly id?: string | undefined;
}

/** The outcome of one publish of a batch: the acknowledgement as JSON text, or the reason of the refusal. */
export type PublishOutcome =
  | { readonly ok: true; readonly answer: string }
  | { readonly ok: false; readonly reason: string; readonly code: string | undefined };

/** After these errors, the message may have been published (PROTOCOL.md 4.2). */
const unknownOutcomes: ReadonlySet<string | undefined> = new Set(['outcome_unknown', 'internal']);

/** The server has refused a publish, or does not know whether it happened. */
export class PublishRefusedError extends CommandError {
  /** The error code of Fanfare. Undefined if another server refused the publish. */
  readonly code: string | undefined;

  constructor(reason: string, code: string | undefined) {
    super(unknownOutcomes.has(code) ? exitCodes.unknown : exitCodes.refused, reason);
    this.code = code;
  }
}

/**
 * Publishes to any server that implements the lab contract.
 *
 * @returns the body of the response: JSON from Fanfare, any text from another server
 * @throws PublishRefusedError with the server's reason; CommandError `unreachable`
 */
export async function publish(target: Target, one: Publish): Promise<string> {
  const answer = await ask(target, {
    method: 'POST',
    path: 'publish',
    contentType: 'application/json',
    body: encode(one),
  });
  if (isSuccess(answer)) return answer.body;
  const code = codeOf(answer);
  throw new PublishRefusedError(refusalReason(reasonOf(answer), code, target), code);
}

/**
 * Publishes a batch: many messages in one request, in their order.
 *
 * @returns undefined if the server does not accept batches; then nothing was published
 * @throws CommandError `unreachable`, `unknown`, or `refused`; then some of the messages may have been
 *   published
 */
export async function publishMany(
  target: Target,
  many: readonly Publish[],
): Promise<readonly PublishOutcome[] | undefined> {
  const answer = await ask(target, {
    method: 'POST',
    path: 'publish',
    contentType: 'application/x-ndjson',
    body: many.map((one) => `${encode(one)}\n`).join(''),
  });
  if (answer.status >= 400 && answer.status < 500) return undefined;
  if (!isSuccess(answer)) throw new PublishRefusedError(reasonOf(answer), codeOf(answer));
  const lines = answer.body.split('\n').filter((line) => line !== '');
  if (lines.length === many.length) return lines.map(readOutcome);
  throw new CommandError(exitCodes.refused, `${target.name} did not acknowledge every message.`);
}

/**
 * Creates a topic, unless it exists.
 *
 * @throws CommandError `unreachable`, or `refused` with the server's reason
 */
export async function createTopic(target: Target, topic: string): Promise<'created' | 'existed'> {
  const { status } = await askFanfare(target, `create topic '${topic}'`, {
    method: 'PUT',
    path: 'topic',
    query: { topic },
  });
  return status === 201 ? 'created' : 'existed';
}

/**
 * Adds to an error that a publish has failed, or may have failed. If the topic does not exist, adds how to
 * create it.
 */
export function failedToPublish(error: unknown): never {
  if (error instanceof CommandError) {
    const what =
      error.exitCode === exitCodes.unknown
        ? 'It is unknown whether the message was published'
        : 'Failed to publish message';
    error.message = `${what}: ${error.message}`;
    if (isUnknownTopic(error)) error.message += '. Add --create to create it.';
  }
  throw error;
}

/** Whether Fanfare refused a publish because its topic does not exist. Other servers cannot create topics. */
export function isUnknownTopic(error: CommandError): boolean {
  return error instanceof PublishRefusedError && error.code === 'topic_not_found';
}

/** Whether a response is an acknowledgement of Fanfare. */
export function isFanfareAnswer(answer: string): boolean {
  return readOutcome(answer).ok;
}

function readOutcome(line: string): PublishOutcome {
  try {
    const { ok, error } = JSON.parse(line) as { ok?: unknown; error?: { detail?: unknown; code?: unknown } };
    if (ok === true) return { ok, answer: line };
    const { detail, code } = error ?? {};
    return {
      ok: false,
      reason: typeof detail === 'string' ? detail : 'the server gave no reason.',
      code: typeof code === 'string' ? code : undefined,
    };
  } catch {
    return { ok: false, reason: 'the server gave no reason.', code: undefined };
  }
}

function encode({ topic, messageJson, id }: Publish): string {
  const idJson = id === undefined ? '' : `,"id":${JSON.stringify(id)}`;
  return `{"topic":${JSON.stringify(topic)},"message":${messageJson}${idJson}}`;
}
