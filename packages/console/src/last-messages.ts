import type { TopicInfo } from '@fanfare/protocol';
import type { Api } from './api.ts';

interface LastMessage {
  /** The last offset of the topic at the time of the request. The message may be a later one. */
  readonly offset: string;
  /** As JSON. */
  readonly text: string;
}

const keptMax = 500;
const requestsMax = 3;
const charactersMax = 300;

/**
 * The newest messages of the topics on the screen. They are fetched a few at a time, and only if they are out
 * of date.
 */
export class LastMessages {
  readonly #api: Api;
  readonly #listeners = new Set<() => void>();
  readonly #known = new Map<string, LastMessage>();
  #wanted: readonly TopicInfo[] = [];
  #requests = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  textOf(topic: string): string | undefined {
    return this.#known.get(topic)?.text;
  }

  readonly onChange = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  /** Sets the topics on the screen. Earlier topics that were not requested yet are skipped. */
  want(topics: readonly TopicInfo[]): void {
    this.#wanted = topics;
    while (this.#requests < requestsMax && this.#next()) void this.#fetch();
  }

  #next(): TopicInfo | undefined {
    return this.#wanted.find(
      ({ topic, lastOffset, messages }) =>
        messages > 0 && lastOffset !== undefined && this.#known.get(topic)?.offset !== lastOffset,
    );
  }

  async #fetch(): Promise<void> {
    this.#requests++;
    for (let topic = this.#next(); topic; topic = this.#next()) {
      const { topic: name, lastOffset = '' } = topic;
      this.#wanted = this.#wanted.filter((one) => one !== topic);
      try {
        const { messages } = await this.#api.messages(name, { last: 1 });
        const last = messages.at(-1);
        if (last) this.#keep(name, { offset: lastOffset, text: cut(JSON.stringify(last.message)) });
      } catch {
        // It is requested again with the next refresh.
      }
    }
    this.#requests--;
  }

  #keep(topic: string, message: LastMessage): void {
    this.#known.delete(topic);
    this.#known.set(topic, message);
    const [oldest] = this.#known.keys();
    if (this.#known.size > keptMax && oldest !== undefined) this.#known.delete(oldest);
    for (const listener of this.#listeners) listener();
  }
}

function cut(text: string): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
}
