import { commandName, shellWord } from './command-name.ts';
import type { InteractivePrompt } from './interactive-prompt.ts';
import { CommandError } from './exit-codes.ts';
import { isUnknownTopic, publish } from './publisher.ts';
import type { Target } from './server-target.ts';

/**
 * `fanfare pub` without a topic: the interactive publisher of the lab. Ends at the topic `exit`, or when the
 * input ends.
 */
export async function runPubPrompt(target: Target, prompt: InteractivePrompt): Promise<void> {
  for (;;) {
    const topic = await prompt.ask("Topic to publish to ('exit' ends): ");
    if (topic === undefined || topic.trim() === 'exit') return;
    if (topic === '') continue;
    const message = await prompt.ask('Message: ');
    if (message === undefined) return;
    prompt.print(await publishAndTell(target, topic, message));
  }
}

/** Node replaces bytes that are not UTF-8 by this character. Nobody types it. */
const replacementCharacter = '\ufffd';

async function publishAndTell(target: Target, topic: string, message: string): Promise<string> {
  if ((topic + message).includes(replacementCharacter)) return 'Failed to publish message: it is not UTF-8.';
  try {
    await publish(target, { topic, messageJson: JSON.stringify(message) });
    return `Message published to topic '${topic}'`;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const hint = `\nCreate it with: ${commandName()} topics create ${shellWord(topic)}`;
    return `Failed to publish message: ${error.message}${isUnknownTopic(error) ? hint : ''}`;
  }
}
