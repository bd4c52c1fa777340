import { once } from 'node:events';
import { isPattern, type Interest } from '@fanfare/protocol';
import { CommandError, exitCodes } from './exit-codes.ts';
import type { StartPosition } from './start-position.ts';
import { painted, printPainted, say } from './output.ts';
import { messageText } from './display-text.ts';
import { Subscriber, type Delivery } from './subscriber.ts';
import type { Target } from './server-target.ts';

export interface SubOptions {
  /** Topics and patterns. */
  readonly topics: readonly string[];
  /** Where to start. Undefined starts with new messages. */
  readonly from: StartPosition['from'] | undefined;
  /** Prints a JSON object on each line, instead of only the message. */
  readonly json: boolean;
  /** The command ends after this number of messages. */
  readonly count: number;
}

/**
 * `fanfare sub TOPIC…`: prints the messages to the standard output, and nothing else. A text with line feeds
 * takes several lines. With `json`, each message takes exactly one line.
 *
 * @throws CommandError if the server refuses a subscription
 */
export async function runSub(target: Target, { topics, from, json, count }: SubOptions): Promise<void> {
  const showsTopic = topics.length > 1 || topics.some((topic) => isPattern(topic as Interest));
  const show = (delivery: Delivery): string => {
    if (json) return painted(JSON.stringify(delivery));
    const message = painted(messageText(delivery.message));
    return showsTopic ? `${painted(delivery.topic, 'cyan')}\t${message}` : message;
  };
  let subscriber: Subscriber | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      let received = 0;
      const onDelivery = (delivery: Delivery): unknown => {
        if (received === count) return undefined;
        const isWritable = printPainted(show(delivery));
        if (++received === count) resolve();
        return isWritable ? undefined : once(process.stdout, 'drain');
      };
      const onRefused = (topic: string, reason: string): void => reject(refusal(topic, reason));
      Subscriber.connect(target, { onDelivery, onNotice: say, onRefused })
        .then(async (connected) => {
          subscriber = connected;
          await Promise.all(topics.map((topic) => subscribe(connected, topic, from, target)));
        })
        .catch(reject);
    });
  } finally {
    subscriber?.close();
  }
}

async function subscribe(
  subscriber: Subscriber,
  topic: string,
  from: StartPosition['from'] | undefined,
  target: Target,
): Promise<void> {
  const outcome = await subscriber.subscribe(topic, from);
  if (outcome.kind === 'refused') throw refusal(topic, outcome.reason);
  if (outcome.kind === 'done') say(`Subscribed to topic '${topic}' on ${target.name}`);
}

function refusal(topic: string, reason: string): CommandError {
  return new CommandError(exitCodes.refused, `Failed to subscribe to topic '${topic}': ${reason}`);
}
