import { connect, type Fanfare } from '@fanfare/client';
import { onTestFinished } from 'vitest';
import { until } from '../../../../test/waits.ts';
import type { ClientEvent } from './attribution.ts';
import { keptOf, type StoredEnvelope } from './http.ts';
import { isOf } from './place.ts';
import type { World } from './world.ts';

/** The SDK as an app uses it. To the app, it is one subscription that never ends. */
export class SdkSubscriber {
  readonly name: string;
  readonly events: ClientEvent[] = [];
  readonly refusals: string[] = [];
  readonly #fanfare: Fanfare;
  readonly #interest: string;
  readonly #ready: Promise<unknown>;
  #isReady = false;
  #lastContent: string | undefined;
  #wake = (): void => {};

  constructor(world: World, name: string, url: string, interest: string) {
    this.name = name;
    this.#interest = interest;
    world.follow(name, this.events);
    this.#fanfare = connect(url);
    const onGap = ({ dropped }: { readonly dropped?: number }): void =>
      void this.events.push({
        kind: 'gap',
        topic: interest,
        form: 'plain',
        ...(dropped !== undefined && { dropped }),
      });
    const onError = (error: Error): void => void this.refusals.push(error.message);
    const waiting: ClientEvent[] = [];
    const subscription = this.#fanfare.subscribe(
      interest,
      { from: 'earliest', onGap, onError },
      (envelope) => {
        const delivery = keptOf(envelope as StoredEnvelope);
        // The promise of the acknowledgement can resolve after the first message.
        (this.#isReady ? this.events : waiting).push({ kind: 'message', form: 'plain', ...delivery });
        this.#lastContent = delivery.content;
        this.#wake();
      },
    );
    this.#ready = subscription.ready.then(({ offset = '' }) => {
      const start = { kind: 'subscribed', interest, form: 'plain', from: 'earliest', offset } as const;
      this.events.push({ ...start, state: 'live' }, ...waiting.splice(0));
      this.#isReady = true;
    });
    onTestFinished(() => this.close());
  }

  get status(): string {
    return JSON.stringify({ ...this.#fanfare.status, refusals: this.refusals });
  }

  async subscribed(): Promise<void> {
    await this.#ready;
  }

  async gets(messages: readonly { topic: string; content: string }[]): Promise<void> {
    const last = messages.findLast(({ topic }) => isOf(this.#interest, topic));
    await until('the app gets its last message', () => this.#lastContent === last?.content, {
      step: () => new Promise<void>((resolve) => (this.#wake = resolve)),
      soFar: () => this.status,
      ms: 60_000,
    });
  }

  close(): void {
    this.#fanfare.close();
  }
}
