import type { FaultKind, History, Kept, Publish, Subscription, SubscriptionEvent } from './history.ts';
import { placeOf } from './place.ts';
import type { Random } from './random.ts';

/** Breaks a good history in one place. Undefined if the history has no such place. */
export type Mutation = (history: History, random: Random) => History | undefined;

type Event<K extends SubscriptionEvent['kind']> = Extract<SubscriptionEvent, { kind: K }>;

/** The mutations by a sentence that describes them, with the fault that the oracle must find. */
export const mutations: Readonly<Record<string, readonly [finds: FaultKind, mutate: Mutation]>> = {
  'an acknowledged message is dropped from the log': [
    'lost',
    inKept((message, { publishes }) => (isAcknowledged(message, publishes) ? [] : undefined)),
  ],
  'a message is in the log twice': [
    'duplicate',
    (history) => {
      const [first, last] = [history.kept[0], history.kept.at(-1)];
      if (!first || !last) return undefined;
      const offset = `model.${placeOf(last.offset).sequence + 1}`;
      return { ...history, kept: [...history.kept, { ...first, offset }] };
    },
  ],
  'two messages have the same place': [
    'duplicate',
    inKept((message) => [message, { ...message, content: 'another' }]),
  ],
  'an acknowledged message has another place': [
    'moved',
    inKept((message, { publishes }) =>
      isAcknowledged(message, publishes) ? [{ ...message, offset: `${message.offset}0` }] : undefined,
    ),
  ],
  'the log has another epoch at the end': [
    'moved',
    inKept((message) => [{ ...message, offset: message.offset.replace('model', 'other') }], 'last'),
  ],
  'a message in the log is altered': [
    'phantom',
    inKept((message) => [{ ...message, content: `${message.content} ` }]),
  ],
  'a message in the log has changed its topic': [
    'phantom',
    inKept((message) => [{ ...message, topic: `${message.topic}/x` }]),
  ],
  'a message in the log has changed its id': ['phantom', inKept((message) => [{ ...message, id: 'other' }])],
  'the log was read in another order': [
    'reordered',
    (history) => (history.kept.length < 2 ? undefined : { ...history, kept: history.kept.toReversed() }),
  ],
  'a refused message is in the log': [
    'phantom',
    inPublishes((publish, { publishes, kept }) =>
      publishes.filter((each) => each.content === publish.content).length === 1 &&
      kept.some((each) => each.content === publish.content)
        ? { ...publish, outcome: { kind: 'fail', code: 'draining' } }
        : undefined,
    ),
  ],
  'an acknowledgement names another place': [
    'moved',
    inPublishes(({ outcome, ...publish }) =>
      outcome.kind === 'ok'
        ? { ...publish, outcome: { ...outcome, offset: `${outcome.offset}0` } }
        : undefined,
    ),
  ],
  'an acknowledgement names another time': [
    'moved',
    inPublishes(({ outcome, ...publish }) =>
      outcome.kind === 'ok' ? { ...publish, outcome: { ...outcome, time: outcome.time + 1 } } : undefined,
    ),
  ],
  'a repeated publish is acknowledged as new': [
    'duplicate',
    (history) => {
      const publish = history.publishes.find(({ outcome }) => outcome.kind === 'ok');
      if (publish?.outcome.kind !== 'ok') return undefined;
      const { offset, time } = publish.outcome;
      const again = {
        ...publish,
        sent: 1e6,
        answered: 1e6 + 1,
        outcome: { kind: 'ok' as const, offset, time },
      };
      return { ...history, publishes: [...history.publishes, again] };
    },
  ],
  'two publishes of one publisher are swapped': [
    'reordered',
    (history) => {
      const placed = history.publishes.filter(({ outcome }) => outcome.kind === 'ok' && !outcome.duplicate);
      const [first] = placed;
      const last = placed.findLast((each) => each.publisher === first?.publisher);
      if (first?.outcome.kind !== 'ok' || last?.outcome.kind !== 'ok' || first === last) return undefined;
      return exchange(history, first.outcome.offset, last.outcome.offset);
    },
  ],
  'a delivery is dropped': ['silentGap', inEvents('message', () => [])],
  'a delivery comes twice': ['duplicate', inEvents('message', (message) => [message, message])],
  'a delivery is altered': [
    'phantom',
    inEvents('message', (message) => [{ ...message, content: `${message.content} ` }]),
  ],
  'a delivery has another place': [
    'moved',
    inEvents('message', (message) => [{ ...message, offset: `${message.offset}0` }]),
  ],
  'a message is delivered that was never sent': [
    'phantom',
    inEvents('message', (message) => [message, { ...message, content: 'nothing' }]),
  ],
  'two deliveries are swapped': [
    'reordered',
    inSubscriptions((subscription, random) => {
      const pairs = indexesOf(subscription, 'message').filter(
        (at) => subscription.events[at + 1]?.kind === 'message',
      );
      if (pairs.length === 0) return undefined;
      const at = random.pick(pairs);
      const [one, other] = subscription.events.slice(at, at + 2) as [SubscriptionEvent, SubscriptionEvent];
      return subscription.events.toSpliced(at, 2, other, one);
    }),
  ],
  'a replayed message is not marked as one, or a live one is': [
    'misstated',
    inEvents('message', ({ replay, ...message }) => [
      replay === undefined ? { ...message, replay: message.topic } : message,
    ]),
  ],
  'a change of state is not reported': [
    'misstated',
    inEvents('state', (_state, next) => (next?.kind === 'message' ? [] : undefined)),
  ],
  'a complete subscription is reported as incomplete': [
    'needlessGap',
    inEvents('subscribed', (subscribed) =>
      subscribed.recovered ? [{ ...subscribed, recovered: false }] : undefined,
    ),
  ],
  'a gap is reported where no message is missing': [
    'needlessGap',
    inEvents('message', (message) => [{ kind: 'gap', topic: message.topic, dropped: 1 }, message]),
  ],
  'a message in the log is reported as missing': [
    'needlessGap',
    inEvents('message', (message) => [{ kind: 'gap', topic: message.topic, dropped: 1 }]),
  ],
  'a resumed subscription starts too late': [
    'silentGap',
    inSubscriptions(({ events }) => {
      const at = events.findIndex(
        (event, index) =>
          event.kind === 'subscribed' && event.recovered && events[index + 1]?.kind === 'message',
      );
      const [start, skipped] = events.slice(at, at + 2) as [Event<'subscribed'>, Event<'message'>];
      if (at < 0 || skipped.offset === undefined) return undefined;
      return events.toSpliced(at, 2, { ...start, offset: skipped.offset });
    }),
  ],
};

function isAcknowledged({ content }: Kept, publishes: readonly Publish[]): boolean {
  return publishes.some((each) => each.content === content && each.outcome.kind === 'ok');
}

function inKept(
  change: (message: Kept, history: History) => readonly Kept[] | undefined,
  which: 'any' | 'last' = 'any',
): Mutation {
  return (history, random) => {
    if (history.kept.length < 2) return undefined;
    const at = which === 'last' ? history.kept.length - 1 : random.below(history.kept.length);
    const changed = change(history.kept[at] as Kept, history);
    return changed && { ...history, kept: history.kept.toSpliced(at, 1, ...changed) };
  };
}

function inPublishes(change: (publish: Publish, history: History) => Publish | undefined): Mutation {
  return (history, random) => {
    if (history.publishes.length === 0) return undefined;
    const at = random.below(history.publishes.length);
    const changed = change(history.publishes[at] as Publish, history);
    return changed && { ...history, publishes: history.publishes.with(at, changed) };
  };
}

function inSubscriptions(
  change: (subscription: Subscription, random: Random) => readonly SubscriptionEvent[] | undefined,
): Mutation {
  return (history, random) => {
    const at = random.below(history.subscriptions.length);
    const subscription = history.subscriptions[at] as Subscription;
    const events = change(subscription, random);
    if (!events) return undefined;
    return { ...history, subscriptions: history.subscriptions.with(at, { ...subscription, events }) };
  };
}

function inEvents<K extends SubscriptionEvent['kind']>(
  kind: K,
  change: (event: Event<K>, next: SubscriptionEvent | undefined) => readonly SubscriptionEvent[] | undefined,
): Mutation {
  return inSubscriptions((subscription, random) => {
    const indexes = indexesOf(subscription, kind);
    if (indexes.length === 0) return undefined;
    const at = random.pick(indexes);
    const changed = change(subscription.events[at] as Event<K>, subscription.events[at + 1]);
    return changed && subscription.events.toSpliced(at, 1, ...changed);
  });
}

function indexesOf({ events }: Subscription, kind: SubscriptionEvent['kind']): number[] {
  return [...events.keys()].filter((at) => events[at]?.kind === kind);
}

/** The history with the messages of two places swapped everywhere. */
function exchange(history: History, one: string, other: string): History {
  const text = JSON.stringify(history).replaceAll(/"model\.\d+"/g, (offset) => {
    if (offset === `"${one}"`) return `"${other}"`;
    return offset === `"${other}"` ? `"${one}"` : offset;
  });
  return JSON.parse(text) as History;
}
