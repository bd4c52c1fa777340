import type { InteractivePrompt } from './interactive-prompt.ts';
import { messageText } from './display-text.ts';
import { Subscriber, type Outcome } from './subscriber.ts';
import type { Target } from './server-target.ts';

const menu = [
  '1. Subscribe to a topic',
  '2. Unsubscribe from a topic',
  '3. Listen for messages',
  '4. Exit',
].join('\n');

/**
 * `fanfare sub` without a topic: the interactive subscriber of the lab. Ends when the user chooses 4, or when
 * the input ends.
 */
export async function runSubMenu(target: Target, prompt: InteractivePrompt): Promise<void> {
  const print = (text: string): void => prompt.print(text);
  const subscriber = await Subscriber.connect(target, {
    onDelivery: ({ topic, message }) =>
      print(`Received message for topic '${topic}': ${messageText(message)}`),
    onNotice: print,
    onRefused: (topic, reason) => print(`The subscription to topic '${topic}' has ended: ${reason}`),
  });
  try {
    print(`Connected to ${target.name}`);
    await runMenu(subscriber, prompt);
  } finally {
    subscriber.close();
  }
}

async function runMenu(subscriber: Subscriber, prompt: InteractivePrompt): Promise<void> {
  let isListening = false;
  for (;;) {
    if (!isListening) prompt.print(menu);
    const line = await prompt.ask(
      isListening ? 'Listening. Press Enter for the menu.' : 'Your choice (1-4): ',
    );
    // A program whose last piped line is "3" wants to keep listening. A user who presses Ctrl-D wants to end.
    if (line === undefined && isListening && !prompt.isTerminal) return new Promise(() => {});
    if (line === undefined) return;
    isListening = false;
    switch (line.trim()) {
      case '1':
        await subscribe(subscriber, prompt);
        break;
      case '2':
        await unsubscribe(subscriber, prompt);
        break;
      case '3':
        isListening = subscriber.topics.length > 0;
        if (!isListening) prompt.print('You have no subscriptions yet. Choose 1 first.');
        break;
      case '4':
        return;
      case '':
        break;
      default:
        prompt.print('Please choose 1, 2, 3 or 4.');
    }
  }
}

async function subscribe(subscriber: Subscriber, prompt: InteractivePrompt): Promise<void> {
  const topic = await prompt.ask('Topic to subscribe to: ');
  if (topic === undefined || topic === '') return;
  const outcome = await subscriber.subscribe(topic);
  prompt.print(describe(outcome, 'subscribe', `Subscribed to topic '${topic}'`));
}

async function unsubscribe(subscriber: Subscriber, prompt: InteractivePrompt): Promise<void> {
  const topic = await prompt.ask('Topic to unsubscribe from: ');
  if (topic === undefined || topic === '') return;
  if (!subscriber.topics.includes(topic)) {
    prompt.print(`You are not subscribed to topic '${topic}'`);
    return;
  }
  const outcome = subscriber.unsubscribe(topic);
  prompt.print(describe(outcome, 'unsubscribe', `Unsubscribed from topic '${topic}'`));
}

function describe(outcome: Outcome, what: string, done: string): string {
  switch (outcome.kind) {
    case 'done':
      return done;
    case 'pending':
      return `${done} (as soon as the connection is back)`;
    case 'refused':
      return `Failed to ${what}: ${outcome.reason}`;
  }
}
