import { isPattern, type Interest } from '@fanfare/protocol';
import { cutMember, elementsOf } from '@fanfare/server/json';
import { askFanfare, parseAnswer } from './api.ts';
import type { Start } from './from.ts';
import { print, say } from './output.ts';
import type { Target } from './target.ts';

export interface HistoryOptions {
  /** A topic or a pattern. */
  readonly topic: string;
  /** Where to start; undefined for the earliest. */
  readonly start: Start | undefined;
  /** How many messages at the most. */
  readonly limit: number;
  /** One envelope a line instead of time and message. */
  readonly json: boolean;
}

/** What a message has beside the message itself. */
interface Envelope {
  readonly topic: string;
  readonly time: number;
}

interface HistoryPage {
  readonly messages: readonly (Envelope & { readonly message: unknown })[];
  readonly next: string;
  readonly more: boolean;
  readonly recovered?: boolean;
}

/** As many as a server gives at once. */
const messagesPerPage = 1_000;

/**
 * `fanfare history TOPIC`: prints what there is, the oldest first, and ends.
 *
 * @throws CommandError
 */
export async function runHistory(
  target: Target,
  { topic, start, limit, json }: HistoryOptions,
): Promise<void> {
  const show = json ? showEnvelope : showLine(isPattern(topic as Interest));
  let query = start?.query ?? { from: 'earliest' };
  for (let left = limit; left > 0;) {
    const answer = await askFanfare(target, `read topic '${topic}'`, {
      method: 'GET',
      path: 'messages',
      query: { topic, ...query, limit: String(Math.min(left, messagesPerPage)) },
    });
    const page = parseAnswer<HistoryPage>(target, answer, ({ messages }) => Array.isArray(messages));
    if (page.recovered === false)
      say('Messages are missing here: the server does not have all of them any more.');
    // As the characters that were published: numbers are not read as JavaScript's.
    const array = cutMember(answer.body, 'messages')?.text ?? '[]';
    const texts = [...elementsOf(array)].flatMap((element) =>
      element === undefined ? [] : [cutMember(element, 'message')],
    );
    const lines = page.messages.map((envelope, at) => show(envelope, texts[at]?.text ?? 'null'));
    print(...lines);
    left -= lines.length;
    if (!page.more) return;
    query = { from: page.next };
  }
}

type Show = (envelope: HistoryPage['messages'][number], messageJson: string) => string;

function showEnvelope(envelope: HistoryPage['messages'][number], messageJson: string): string {
  const { topic, ...rest } = envelope;
  const more = JSON.stringify({ ...rest, message: undefined }).slice(1);
  return `{"topic":${JSON.stringify(topic)},"message":${messageJson}${more === '}' ? '' : ','}${more}`;
}

function showLine(showsTopic: boolean): Show {
  return ({ topic, message, time }, messageJson) => {
    const text = typeof message === 'string' ? message : messageJson;
    const cells = [new Date(time).toISOString(), ...(showsTopic ? [topic] : []), text];
    return cells.join('\t');
  };
}
