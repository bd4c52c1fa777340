import { get, type ClientRequest } from 'node:http';
import type { GapEvent, StateEvent, Subscribed } from '@fanfare/protocol';
import { onTestFinished } from 'vitest';
import { until } from '../../../../test/waits.ts';
import type { ClientEvent } from './attribution.ts';
import { keptOf, type StoredEnvelope } from './http.ts';
import { isOf } from './place.ts';
import type { World } from './world.ts';

const reconnectMs = 50;

/** Server-Sent Events, read as a browser reads them: a lost stream is opened again with `Last-Event-ID`. */
export class StreamSubscriber {
  readonly name: string;
  readonly events: ClientEvent[] = [];
  readonly refusals: string[] = [];
  readonly #url: string;
  readonly #interest: string;
  #request: ClientRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isSubscribed = false;
  #isClosed = false;
  #from = 'earliest';
  #lastContent: string | undefined;
  #wake = (): void => {};

  constructor(world: World, name: string, url: string, interest: string) {
    this.name = name;
    this.#interest = interest;
    this.#url = `${url}/messages?topic=${encodeURIComponent(interest)}&from=earliest`;
    world.follow(name, this.events);
    this.#open();
    onTestFinished(() => this.close());
  }

  get status(): string {
    return JSON.stringify({ from: this.#from, subscribed: this.#isSubscribed, refusals: this.refusals });
  }

  async subscribed(): Promise<void> {
    await this.#until('the stream is open', () => this.#isSubscribed);
  }

  async gets(messages: readonly { topic: string; content: string }[]): Promise<void> {
    const last = messages.findLast(({ topic }) => isOf(this.#interest, topic));
    await this.#until('the stream gets its last message', () => this.#lastContent === last?.content);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#request?.destroy();
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const step = (): Promise<void> => new Promise((resolve) => (this.#wake = resolve));
    await until(what, holds, { step, soFar: () => this.status, ms: 60_000 });
  }

  #open(): void {
    const lastEventId = this.#from === 'earliest' ? {} : { 'last-event-id': this.#from };
    const headers = { accept: 'text/event-stream', ...lastEventId };
    const request = get(this.#url, { agent: false, headers }, (response) => {
      let rest = '';
      response.setEncoding('utf8').on('error', () => {});
      response.on('data', (text: string) => {
        const blocks = (rest + text).split('\n\n');
        rest = blocks.pop() ?? '';
        if (response.statusCode === 200) for (const block of blocks) this.#take(block);
      });
    });
    this.#request = request;
    request.on('error', () => {});
    request.once('close', () => {
      if (this.#isSubscribed) this.events.push({ kind: 'disconnected' });
      this.#isSubscribed = false;
      if (!this.#isClosed) this.#timer = setTimeout(() => this.#open(), reconnectMs);
    });
  }

  #take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line): [string, string] => {
        const colon = line.indexOf(': ');
        return [line.slice(0, colon), line.slice(colon + 2)];
      }),
    );
    const data = fields.get('data');
    if (data === undefined) return;
    const id = fields.get('id');
    this.#note(fields.get('event') ?? 'message', JSON.parse(data));
    if (id !== undefined) this.#from = id;
    this.#wake();
  }

  #note(event: string, data: unknown): void {
    const interest = this.#interest;
    if (event === 'subscribed') {
      const { offset, state, recovered } = data as Subscribed;
      const said = recovered === undefined ? {} : { recovered };
      const start = { kind: 'subscribed', interest, form: 'envelope', from: this.#from } as const;
      this.events.push({ ...start, offset, state, ...said });
      this.#isSubscribed = true;
    } else if (event === 'state') {
      const { state, offset } = data as StateEvent;
      this.events.push({ kind: 'state', interest, state, offset });
    } else if (event === 'gap') {
      const { topic, dropped } = data as GapEvent;
      this.events.push({ kind: 'gap', topic, form: 'envelope', ...(dropped !== undefined && { dropped }) });
    } else if (event === 'message') {
      const { replay, ...envelope } = data as StoredEnvelope;
      const delivery = { ...keptOf(envelope), ...(replay !== undefined && { replay }) };
      this.events.push({ kind: 'message', form: 'envelope', ...delivery });
      this.#lastContent = delivery.content;
    } else this.refusals.push(JSON.stringify(data));
  }
}
