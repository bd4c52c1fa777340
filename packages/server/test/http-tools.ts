import { mkdtemp, rm } from 'node:fs/promises';
import { get, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HistoryPage, TopicInfo } from '@fanfare/protocol';
import { expect, onTestFinished } from 'vitest';
import { soonMs, until, within } from '../../../test/waits.ts';
import { connectRaw } from './harness.ts';

/** A directory that is removed when the test ends. Create it before the server that uses it starts. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fanfare-http-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The URL of a topic, or of a path under it. */
export function topicUrl(url: string, topic: string, rest = ''): string {
  return `${url}/topics/${encodeURIComponent(topic)}${rest}`;
}

export async function declare(url: string, topic: string): Promise<void> {
  const response = await fetch(topicUrl(url, topic), { method: 'PUT' });
  expect([200, 201]).toContain(response.status);
  await response.text();
}

export async function readPage(url: string, topic: string, query = ''): Promise<HistoryPage> {
  const response = await fetch(topicUrl(url, topic, `/messages${query}`));
  expect(response.status).toBe(200);
  return (await response.json()) as HistoryPage;
}

/** The number of subscriptions that get the messages of a topic. */
export async function subscribersOf(url: string, topic: string): Promise<number> {
  const response = await fetch(topicUrl(url, topic));
  return ((await response.json()) as TopicInfo).subscribers;
}

/** An event of a stream. */
export interface StreamEvent {
  readonly event: string;
  readonly id?: string;
  readonly data: { readonly [field: string]: unknown };
}

/** The time limit for an event of a stream; a replay of many messages takes some seconds. */
const streamMs = 60_000;

/** Reads and keeps Server-Sent Events by the standard. Closed when the test ends. */
export class StreamReader {
  readonly events: StreamEvent[] = [];
  /** The number of comments that have come. */
  comments = 0;
  readonly #request: ClientRequest;
  #response: IncomingMessage | undefined;
  #wake = (): void => {};
  #isOver = false;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}, options: RequestOptions = {}) {
    this.#request = get(url, {
      agent: false,
      headers: { accept: 'text/event-stream', ...headers },
      ...options,
    });
    this.#request.on('error', () => this.#end());
    onTestFinished(() => this.close());
  }

  /** The head of the response. The body is read from now on. */
  async opened(): Promise<IncomingMessage> {
    const head = new Promise<IncomingMessage>((resolve, reject) => {
      this.#request.once('response', resolve).once('error', reject);
    });
    const response = await within(soonMs, 'the stream is answered', head);
    this.#response = response;
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
      this.#wake();
    });
    response.on('error', () => {}).once('close', () => this.#end());
    return response;
  }

  /** Waits for an event. Events that have come already count. */
  async until(isIt: (event: StreamEvent) => boolean): Promise<StreamEvent> {
    let at = 0;
    let found: StreamEvent | undefined;
    const isThere = (): boolean => {
      for (; found === undefined && at < this.events.length; at++) {
        const event = this.events[at];
        if (event && isIt(event)) found = event;
      }
      return found !== undefined;
    };
    const step = async (): Promise<void> => {
      if (this.#isOver) throw new Error(`the stream ended after ${this.events.length} events`);
      await this.#changed();
    };
    const soFar = (): unknown => this.events.slice(-5);
    await until(`the stream brings an event for which ${String(isIt)}`, isThere, {
      step,
      soFar,
      ms: streamMs,
    });
    if (!found) throw new Error('there is no event');
    return found;
  }

  /** Waits until it is over, from either side. @returns whether it has ended as HTTP has it, or was cut */
  async ended(): Promise<'ended' | 'cut'> {
    await until('the stream is over', () => this.#isOver, {
      step: () => this.#changed(),
      soFar: () => this.events.slice(-5),
      ms: streamMs,
    });
    return this.#response?.complete ? 'ended' : 'cut';
  }

  /** The messages that have come. */
  get messages(): unknown[] {
    return this.events.filter(({ event }) => event === 'message').map(({ data }) => data['message']);
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  close(): void {
    this.#request.destroy();
  }

  #changed(): Promise<void> {
    return new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #end(): void {
    this.#isOver = true;
    this.#wake();
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''));
      else if (colon === 0) this.comments++;
    }
    const data = fields.get('data');
    if (data === undefined) return;
    const id = fields.get('id');
    this.events.push({
      event: fields.get('event') ?? 'message',
      ...(id !== undefined && { id }),
      data: JSON.parse(data) as StreamEvent['data'],
    });
  }
}

/** Opens a stream, and waits for its first event. */
export async function openStream(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  options: RequestOptions = {},
): Promise<StreamReader> {
  const reader = new StreamReader(url, headers, options);
  await reader.opened();
  await reader.until(({ event }) => event === 'subscribed');
  return reader;
}

/** The status line of a request that is sent as it is. */
export async function statusOf(url: string, head: string): Promise<string | undefined> {
  const { socket, ended } = connectRaw(url);
  socket.write(`${head}\r\nConnection: close\r\n\r\n`);
  return (await ended).split('\r\n', 1)[0]?.slice('HTTP/1.1 '.length);
}
