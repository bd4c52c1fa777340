import { isPattern, type HistoryPage, type Interest } from '@fanfare/protocol';
import { cutMember, elementsOf } from '@fanfare/server/json';
import { askFanfare, parseAnswer } from './api.ts';
import type { StartPosition } from './start-position.ts';
import { print, say } from './output.ts';
import { Table, type TableColumn } from './table.ts';
import type { Target } from './server-target.ts';

export interface HistoryOptions {
  /** A topic or a pattern. */
  readonly topic: string;
  /** Where to start; undefined for the earliest. */
  readonly start: StartPosition | undefined;
  /** Maximum number of messages. */
  readonly limit: number;
  /** Prints an envelope on each line, instead of time and message. */
  readonly json: boolean;
}

/** The largest page that a server returns. */
const messagesPerPage = 1_000;

/**
 * `fanfare history TOPIC`: prints the stored messages, the oldest first, and ends.
 *
 * @throws CommandError `unreachable`, or `refused` with the server's reason
 */
export async function runHistory(
  target: Target,
  { topic, start, limit, json }: HistoryOptions,
): Promise<void> {
  const showsTopic = isPattern(topic as Interest);
  const table = new Table(columns.filter(({ title }) => showsTopic || title !== 'TOPIC'));
  let query = start?.query ?? { from: 'earliest' };
  for (let left = limit; left > 0;) {
    const answer = await askFanfare(target, `read topic '${topic}'`, {
      method: 'GET',
      path: 'messages',
      query: { topic, ...query, limit: String(Math.min(left, messagesPerPage)) },
    });
    const page = parseAnswer<HistoryPage>(target, answer, ({ messages }) => Array.isArray(messages));
    if (page.recovered === false) say('Messages are missing here: the server no longer has all of them.');
    // The messages are printed with the characters that were published. JSON.parse would change some numbers.
    const array = cutMember(answer.body, 'messages')?.text ?? '[]';
    const texts = [...elementsOf(array)].flatMap((element) =>
      element === undefined ? [] : [cutMember(element, 'message')],
    );
    const messages = page.messages.map((envelope, at) => ({ envelope, json: texts[at]?.text ?? 'null' }));
    if (json) print(...messages.map(showEnvelope));
    else table.print(messages.map((message) => cellsOf(message, showsTopic)));
    left -= messages.length;
    if (!page.more) return;
    query = { from: page.next };
  }
}

const columns: readonly TableColumn[] = [
  { title: 'TIME', style: 'dim' },
  { title: 'TOPIC', style: 'cyan' },
  { title: 'MESSAGE' },
];

interface HistoryMessage {
  readonly envelope: HistoryPage['messages'][number];
  /** The message with the characters that were published. */
  readonly json: string;
}

function showEnvelope({ envelope, json }: HistoryMessage): string {
  const { topic, ...rest } = envelope;
  const more = JSON.stringify({ ...rest, message: undefined }).slice(1);
  return `{"topic":${JSON.stringify(topic)},"message":${json}${more === '}' ? '' : ','}${more}`;
}

function cellsOf({ envelope, json }: HistoryMessage, showsTopic: boolean): readonly string[] {
  const { topic, message, time } = envelope;
  const text = typeof message === 'string' ? message : json;
  return [new Date(time).toISOString(), ...(showsTopic ? [topic] : []), text];
}
