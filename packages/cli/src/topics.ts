import { createInterface } from 'node:readline/promises';
import type { TopicInfo, TopicPage } from '@fanfare/protocol';
import { askFanfare, parseAnswer } from './api.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { createTopic } from './publisher.ts';
import { print, say } from './output.ts';
import { escapeControls } from './display-text.ts';
import { Table, type TableColumn } from './table.ts';
import type { Target } from './server-target.ts';

/** The largest page that a server returns. */
const topicsPerPage = 1_000;

/**
 * `fanfare topics`: lists the topics. A terminal gets a table. A program gets lines: JSON, or tab-separated
 * columns.
 *
 * @throws CommandError `unreachable`, or `refused` with the server's reason
 */
export async function listTopics(target: Target, prefix: string, json: boolean): Promise<void> {
  const table = new Table(columns);
  let count = 0;
  for await (const topics of pages(target, prefix)) {
    count += topics.length;
    if (json) print(...topics.map((topic) => JSON.stringify(topic)));
    else table.print(topics.map(cellsOf));
  }
  if (count === 0 && process.stdout.isTTY && !json)
    say(prefix === '' ? 'There are no topics yet.' : `No topic starts with '${prefix}'.`);
}

async function* pages(target: Target, prefix: string): AsyncGenerator<readonly TopicInfo[]> {
  let cursor: string | undefined;
  do {
    const query = { prefix, limit: String(topicsPerPage), ...(cursor !== undefined && { cursor }) };
    const answer = await askFanfare(target, 'list the topics', { method: 'GET', path: 'topics', query });
    const page: TopicPage = parseAnswer<TopicPage>(target, answer, ({ topics }) => Array.isArray(topics));
    yield page.topics;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

function cellsOf({ topic, subscribers, messages, lastOffset }: TopicInfo): readonly string[] {
  return [topic, String(subscribers), String(messages), lastOffset ?? '-'];
}

const columns: readonly TableColumn[] = [
  { title: 'TOPIC', style: 'cyan' },
  { title: 'SUBSCRIBERS', isNumber: true },
  { title: 'MESSAGES', isNumber: true },
  { title: 'LAST OFFSET', style: 'dim' },
];

/**
 * `fanfare topics create`: creates topics, unless they exist.
 *
 * @throws CommandError `unreachable`, or `refused` with the server's reason
 */
export async function createTopics(target: Target, topics: readonly string[]): Promise<void> {
  for (const topic of topics) {
    const outcome = await createTopic(target, topic);
    say(outcome === 'created' ? `Created topic '${topic}'` : `Topic '${topic}' already exists`);
  }
}

/**
 * `fanfare topics delete`: deletes topics and their messages. In a terminal, it asks for confirmation first.
 *
 * @throws CommandError `unreachable`, `interrupted`, or `refused` with the server's reason
 */
export async function deleteTopics(
  target: Target,
  topics: readonly string[],
  isSure: boolean,
): Promise<void> {
  const asks = !isSure && process.stdin.isTTY && process.stderr.isTTY;
  for (const topic of topics) {
    if (asks && !(await confirms(target, topic))) {
      say(`Kept topic '${topic}'`);
      continue;
    }
    await askFanfare(target, `delete topic '${topic}'`, {
      method: 'DELETE',
      path: 'topic',
      query: { topic },
    });
    say(`Deleted topic '${topic}'`);
  }
}

async function confirms(target: Target, topic: string): Promise<boolean> {
  const what = `delete topic '${topic}'`;
  const answer = await askFanfare(target, what, { method: 'GET', path: 'topic', query: { topic } });
  const { messages } = parseAnswer<TopicInfo>(target, answer, (info) => typeof info.messages === 'number');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const many = messages === 1 ? '1 message' : `${messages} messages`;
    const reply = await new Promise<string>((resolve, reject) => {
      // Ctrl-C and Ctrl-D. During a question, the terminal sends Ctrl-C as a character and not as a signal.
      prompt.once('SIGINT', () => reject(new CommandError(exitCodes.interrupted, '')));
      prompt.once('close', () => resolve(''));
      prompt
        .question(escapeControls(`Delete topic '${topic}' and its ${many}? [y/N] `))
        .then(resolve, reject);
    });
    return /^y(es)?$/i.test(reply.trim());
  } finally {
    prompt.close();
  }
}
