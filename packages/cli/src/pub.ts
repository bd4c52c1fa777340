import { CommandError, exitCodes } from './exit-codes.ts';
import { encodeMessage } from './message-json.ts';
import { print, say } from './output.ts';
import { publishLines } from './pub-lines.ts';
import { createTopic, failedToPublish, publish, PublishRefusedError } from './publisher.ts';
import type { Target } from './server-target.ts';

export interface PubOptions {
  readonly topic: string;
  /** `-` reads messages from the standard input, one on each line. */
  readonly message: string;
  readonly id: string | undefined;
  /** The message is JSON and not text, and the response of the server is printed. */
  readonly json: boolean;
  /** Whether to create the topic if it does not exist. */
  readonly create: boolean;
}

/**
 * `fanfare pub TOPIC MESSAGE`: publishes one message, or one for each line of the standard input, in their
 * order.
 *
 * @throws CommandError with the reason
 */
export async function runPub(
  target: Target,
  { topic, message, id, json, create }: PubOptions,
): Promise<void> {
  if (message === '-' && id !== undefined)
    throw usage('Cannot combine --id with the standard input: an id names a single message.');
  const messageJson = message === '-' ? undefined : encodeMessage(message, json);
  if (create) await createTopic(target, topic);
  if (messageJson === undefined) return publishLines(target, topic, json);
  const answer = await publish(target, { topic, messageJson, id }).catch((error: unknown) => {
    if (error instanceof PublishRefusedError && error.exitCode === exitCodes.unknown)
      error.message += retryHint(id);
    return failedToPublish(error);
  });
  if (json) print(answer.trim());
  else say(`Message published to topic '${topic}'`);
}

function retryHint(id: string | undefined): string {
  return id === undefined
    ? '\nWith --id, the command can be repeated: the message is not published twice.'
    : '\nRepeat the command with the same --id: the message is not published twice.';
}

function usage(sentence: string): CommandError {
  return new CommandError(exitCodes.usage, sentence);
}
