import { CommandError } from './exit-codes.ts';
import { readLines } from './read-lines.ts';
import { encodeMessage } from './message-json.ts';
import { print, say } from './output.ts';
import { failedToPublish, isFanfareAnswer, publish, publishMany, PublishRefusedError } from './publisher.ts';
import type { Target } from './server-target.ts';

/** The largest batch that is sent. A Fanfare server with default settings accepts it. */
const messagesAtOnce = 1_000;
const charactersAtOnce = 1_048_576;

/**
 * Publishes the lines of the standard input, in their order. Lines that have arrived are sent at once, so a
 * single line never waits for more. If the server accepts batches, many lines are one request. The first
 * failure ends the command.
 *
 * @throws CommandError with the reason
 */
export async function publishLines(target: Target, topic: string, json: boolean): Promise<void> {
  const publisher = new LinePublisher(target, topic, json);
  try {
    // The next lines are read after these are published. Lines that arrive meanwhile form the next batch.
    for await (const lines of readLines(process.stdin)) await publisher.publish(lines);
  } catch (error) {
    if (error instanceof CommandError && publisher.published > 0) error.message += publisher.summary;
    throw error;
  }
}

class LinePublisher {
  /** The number of all published messages. */
  published = 0;
  /** The number of published messages that came after the failed message, in the same request. */
  #publishedAfter = 0;
  readonly #target: Target;
  readonly #topic: string;
  readonly #json: boolean;
  /** Whether the server is known to accept batches. */
  #takesMany = false;

  constructor(target: Target, topic: string, json: boolean) {
    this.#target = target;
    this.#topic = topic;
    this.#json = json;
  }

  /** Describes what was published before a failure. */
  get summary(): string {
    const after = this.#publishedAfter;
    const along = after > 0 ? `, and ${after} after it in the same request` : '';
    return ` (published before it: ${this.published - after}${along})`;
  }

  /** @throws CommandError */
  async publish(lines: readonly string[]): Promise<void> {
    let messages: string[] = [];
    let characters = 0;
    const flush = async (): Promise<void> => {
      const batch = messages;
      messages = [];
      characters = 0;
      await this.#publishAll(batch);
    };
    for (const line of lines) {
      if (this.#json && line.trim() === '') continue;
      let message: string;
      try {
        message = encodeMessage(line, this.#json);
      } catch (error) {
        // The messages before the wrong line are published first.
        await flush();
        throw error;
      }
      const isFull = messages.length >= messagesAtOnce || characters + message.length > charactersAtOnce;
      if (isFull && messages.length > 0) await flush();
      messages.push(message);
      characters += message.length;
    }
    await flush();
  }

  async #publishAll(messages: readonly string[]): Promise<void> {
    for (let at = 0; at < messages.length;) {
      const rest = messages.slice(at);
      if (this.#takesMany && rest.length > 1 && (await this.#publishMany(rest))) return;
      await this.#publishOne(messages[at] as string);
      at++;
    }
  }

  async #publishOne(messageJson: string): Promise<void> {
    const answer = await publish(this.#target, { topic: this.#topic, messageJson }).catch(failedToPublish);
    this.#takesMany ||= this.published === 0 && isFanfareAnswer(answer);
    this.published++;
    this.#print([answer.trim()]);
  }

  /** @returns false if the server does not accept batches; then nothing was published */
  async #publishMany(messages: readonly string[]): Promise<boolean> {
    const many = messages.map((messageJson) => ({ topic: this.#topic, messageJson }));
    const outcomes = await publishMany(this.#target, many).catch(failedToPublish);
    this.#takesMany = outcomes !== undefined;
    if (!outcomes) return false;
    const answers = outcomes.flatMap((outcome) => (outcome.ok ? [outcome.answer] : []));
    this.published += answers.length;
    if (answers.length > 0) this.#print(answers);
    const failedAt = outcomes.findIndex((outcome) => !outcome.ok);
    const first = outcomes[failedAt];
    if (!first || first.ok) return true;
    this.#publishedAfter = answers.length - failedAt;
    return failedToPublish(new PublishRefusedError(first.reason, first.code));
  }

  #print(answers: readonly string[]): void {
    if (this.#json) print(...answers);
    else if (answers.length === 1) say(`Message published to topic '${this.#topic}'`);
    else say(`${answers.length} messages published to topic '${this.#topic}'`);
  }
}
