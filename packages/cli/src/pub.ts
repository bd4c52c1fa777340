import { createInterface } from 'node:readline';
import { CommandError, exitCodes } from './exit-codes.ts';
import { publish } from './publisher.ts';
import type { Target } from './target.ts';

export interface PubOptions {
  readonly topic: string;
  /** `-` reads messages from the standard input, one a line. */
  readonly message: string;
  readonly id: string | undefined;
  /** The message is JSON and not text, and the server's answer is printed. */
  readonly json: boolean;
}

/**
 * `fanfare pub TOPIC MESSAGE`: publishes one message, or one for each line of the standard input, each once
 * the one before is acknowledged. The first that fails ends it.
 *
 * @throws CommandError with the reason
 */
export async function runPub(target: Target, options: PubOptions): Promise<void> {
  if (options.message !== '-') return publishOne(target, options, options.message);
  if (options.id !== undefined)
    throw usage('--id names one message, so it does not go with lines from the standard input');
  let published = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (options.json && line.trim() === '') continue;
    try {
      await publishOne(target, options, line);
    } catch (error) {
      if (error instanceof CommandError && published > 0) error.message += ` (after ${published} published)`;
      throw error;
    }
    published++;
  }
}

async function publishOne(target: Target, { topic, id, json }: PubOptions, message: string): Promise<void> {
  const messageJson = json ? checkJson(message) : JSON.stringify(message);
  try {
    const answer = await publish(target, { topic, messageJson, id });
    if (json) process.stdout.write(`${answer.trim()}\n`);
  } catch (error) {
    if (error instanceof CommandError) error.message = `Failed to publish message: ${error.message}`;
    throw error;
  }
  if (!json) console.error(`Message published to topic '${topic}'`);
}

function checkJson(message: string): string {
  try {
    JSON.parse(message);
    return message;
  } catch {
    throw usage(`with --json the message must be JSON, and this is not: ${message.slice(0, 100)}`);
  }
}

function usage(sentence: string): CommandError {
  return new CommandError(exitCodes.usage, sentence);
}
