import { describe, expect, it } from 'vitest';
import {
  faultKinds,
  type FaultKind,
  type History,
  type Kept,
  type Publish,
  type SubscriptionEvent,
} from './history.ts';
import { judge } from './oracle.ts';
import { placeOf } from './place.ts';

/** The kinds of faults that the oracle finds, each once. */
function found(history: Partial<History>): FaultKind[] {
  const { counts } = judge({ publishes: [], kept: [], subscriptions: [], ...history });
  return faultKinds.filter((kind) => counts[kind] > 0);
}

let clock = 0;

/** A message of `news` at an offset; the content tells messages apart. */
function kept(offset: string, content: string = offset): Kept {
  return { offset, topic: 'news', content, time: placeOf(offset).sequence };
}

function acknowledged(offset: string, content: string = offset): Publish {
  const outcome = { kind: 'ok' as const, offset, time: placeOf(offset).sequence };
  return { publisher: content, topic: 'news', content, sent: clock++, answered: clock++, outcome };
}

function delivery(offset: string, content: string = offset): SubscriptionEvent {
  return { kind: 'message', ...kept(offset, content) };
}

function subscribed(from: string, offset: string, recovered?: boolean): SubscriptionEvent {
  return { kind: 'subscribed', from, offset, state: 'live', ...(recovered !== undefined && { recovered }) };
}

function subscriber(...events: readonly SubscriptionEvent[]): Pick<History, 'subscriptions'> {
  return { subscriptions: [{ client: 'c', interest: 'news', form: 'envelope', events, isComplete: true }] };
}

function deliveries(...offsets: readonly string[]): SubscriptionEvent[] {
  return offsets.map((offset) => delivery(offset));
}

const gap: SubscriptionEvent = { kind: 'gap', topic: 'news' };

/** Redis was started again with all its data: the log goes on in epoch f after e.2. */
const restarted: Partial<History> = {
  publishes: [acknowledged('e.1'), acknowledged('e.2'), acknowledged('f.3')],
  kept: [kept('e.1'), kept('e.2'), kept('f.3')],
  earlier: [{ epoch: 'e', cut: 2 }],
};

/** Redis was started again with an older copy: e.3 is lost, and the log goes on in epoch f after e.2. */
const older: Partial<History> = {
  publishes: ['e.1', 'e.2', 'e.3', 'f.3'].map((offset) => acknowledged(offset)),
  kept: [kept('e.1'), kept('e.2'), kept('f.3')],
  earlier: [{ epoch: 'e', cut: 2 }],
  mayLose: true,
};

describe('the oracle of the fault tests, for a log whose epoch changes', () => {
  it('the oracle accepts a new epoch after a restart that lost nothing, for live and resumed subscribers', () => {
    const all = deliveries('e.1', 'e.2', 'f.3');
    expect(found({ ...restarted, ...subscriber(subscribed('new', 'e.0'), ...all) })).toEqual([]);
    const resumed = subscriber(
      subscribed('new', 'e.0'),
      ...deliveries('e.1', 'e.2'),
      subscribed('e.2', 'f.2', true),
      ...deliveries('f.3'),
    );
    expect(found({ ...restarted, ...resumed })).toEqual([]);
    // The place of e.1, as a server can name it in the present epoch.
    const renamed = subscriber(subscribed('new', 'e.1'), subscribed('f.1', 'f.1', true), ...all.slice(1));
    expect(found({ ...restarted, ...renamed })).toEqual([]);
  });

  it('the oracle accepts no needless notice after a restart that lost nothing', () => {
    const start = [subscribed('new', 'e.0'), ...deliveries('e.1', 'e.2')];
    const refused = subscriber(...start, subscribed('e.2', 'f.2', false), ...deliveries('f.3'));
    expect(found({ ...restarted, ...refused })).toEqual(['needlessGap']);
    expect(found({ ...restarted, ...subscriber(...start, gap, ...deliveries('f.3')) })).toEqual([
      'needlessGap',
    ]);
  });

  it('the oracle detects that a message has another offset after the epoch has changed', () => {
    const moved = { ...restarted, kept: [kept('e.1'), kept('f.2', 'e.2'), kept('f.3')] };
    expect(found(moved)).toEqual(['moved']);
    const delivered = subscriber(
      subscribed('new', 'e.0'),
      ...deliveries('e.1'),
      subscribed('e.1', 'f.1', true),
      delivery('f.2', 'e.2'),
      ...deliveries('f.3'),
    );
    expect(found({ ...restarted, ...delivered })).toEqual(['moved']);
  });

  it('the oracle accepts the loss of acknowledged messages only where the test allows it, and only after the cut', () => {
    expect(found(older)).toEqual([]);
    expect(judge({ subscriptions: [], ...older } as History).judged.lostAcknowledged).toBe(1);
    expect(found({ ...older, mayLose: false })).toEqual(['lost']);
    expect(found({ ...older, kept: [kept('e.1'), kept('f.3')] })).toEqual(['lost']);
    expect(found({ ...older, kept: ['e.1', 'e.2', 'e.3', 'f.3'].map((offset) => kept(offset)) })).toEqual([
      'moved',
    ]);
  });

  it('the oracle requires that a live subscriber that got a lost message is told, before the next message', () => {
    const start = [subscribed('new', 'e.0'), ...deliveries('e.1', 'e.2', 'e.3')];
    expect(found({ ...older, ...subscriber(...start, gap, ...deliveries('f.3')) })).toEqual([]);
    expect(found({ ...older, ...subscriber(...start, ...deliveries('f.3')) })).toEqual(['silentGap']);
    expect(found({ ...older, ...subscriber(...start, ...deliveries('f.3'), gap) })).toEqual(['silentGap']);
    const nothingMore = { ...older, kept: [kept('e.1'), kept('e.2')] };
    expect(found({ ...nothingMore, ...subscriber(...start) })).toContain('silentGap');
  });

  it('the oracle requires that a resumed subscriber that got a lost message is told, and gets all after the cut', () => {
    const start = [subscribed('new', 'e.0'), ...deliveries('e.1', 'e.2', 'e.3')];
    const resumed = (...rest: readonly SubscriptionEvent[]): FaultKind[] =>
      found({ ...older, ...subscriber(...start, ...rest) });
    expect(resumed(subscribed('e.3', 'f.2', false), ...deliveries('f.3'))).toEqual([]);
    expect(resumed(subscribed('e.3', 'f.2', true), ...deliveries('f.3'))).toEqual(['silentGap']);
    expect(resumed(subscribed('e.3', 'f.3', false))).toContain('silentGap');
  });

  it('the oracle does not excuse a missing message that the log has with the notice of a loss', () => {
    const history = {
      ...older,
      publishes: [...(older.publishes ?? []), acknowledged('f.4')],
      kept: [...(older.kept ?? []), kept('f.4')],
    };
    const start = [subscribed('new', 'e.0'), ...deliveries('e.1', 'e.2', 'e.3'), gap];
    expect(found({ ...history, ...subscriber(...start, ...deliveries('f.3', 'f.4')) })).toEqual([]);
    expect(found({ ...history, ...subscriber(...start, ...deliveries('f.4')) })).toEqual(['silentGap']);
  });

  it('the oracle detects an offset that two messages had, in acknowledgements, deliveries and the log', () => {
    const reused = { ...older, earlier: [], kept: [kept('e.1'), kept('e.2'), kept('e.3', 'another')] };
    expect(found(reused)).toContain('reusedOffset');
    const start = [subscribed('new', 'e.0'), ...deliveries('e.1', 'e.2')];
    const unknown: Publish = { ...acknowledged('e.3', 'x'), outcome: { kind: 'unknown' } };
    const delivered = {
      ...older,
      publishes: [...(older.publishes ?? []), unknown],
      ...subscriber(...start, delivery('e.3', 'x'), gap, ...deliveries('f.3')),
    };
    expect(found(delivered)).toContain('reusedOffset');
  });

  it('the oracle accepts a message that was lost before it was acknowledged, and then published again', () => {
    const first: Publish = { ...acknowledged('e.3', 'x'), outcome: { kind: 'unknown' } };
    const history = {
      ...older,
      publishes: [acknowledged('e.1'), acknowledged('e.2'), first, acknowledged('f.3', 'x')],
      kept: [kept('e.1'), kept('e.2'), kept('f.3', 'x')],
    };
    const start = [subscribed('new', 'e.0'), ...deliveries('e.1', 'e.2'), delivery('e.3', 'x')];
    expect(found({ ...history, ...subscriber(...start, gap, delivery('f.3', 'x')) })).toEqual([]);
    expect(found({ ...history, ...subscriber(...start, gap) })).toEqual(['silentGap']);
    expect(found({ ...history, ...subscriber(...start, delivery('e.3', 'x'), gap) })).toContain('duplicate');
    const twice = [...history.kept, kept('f.4', 'x')];
    expect(found({ ...history, kept: twice })).toEqual(['duplicate']);
  });

  it('the oracle accepts that a publish with an unknown outcome takes its place when it is retried on its connection', () => {
    const carried = (publish: Publish): Publish => ({ ...publish, publisher: 'p', stream: 's' });
    const unknown: Publish = { ...acknowledged('e.2', 'x'), outcome: { kind: 'unknown' } };
    const [first, between, retry] = [unknown, acknowledged('e.1'), acknowledged('e.2', 'x')].map(carried);
    const history = { kept: [kept('e.1'), kept('e.2', 'x')] };
    if (!first || !between || !retry) throw new Error('there are three publishes');
    expect(found({ ...history, publishes: [first, between, retry] })).toEqual([]);
    // Nobody retried: the first attempt has the place.
    const reordered: Publish = { ...retry, sent: between.sent - 1, answered: between.sent + 10 };
    expect(found({ ...history, publishes: [reordered, between] })).toEqual(['reordered']);
    const lost: Publish = { ...first, sent: between.sent - 1 };
    expect(found({ ...history, publishes: [lost, between] })).toEqual(['reordered']);
  });

  it('the oracle demands an order only of messages in one log, if two primaries accept messages at once', () => {
    // The epoch f begins after e.2, and another primary goes on in the epoch e.
    const all = ['e.1', 'e.2', 'f.3', 'e.3', 'f.4', 'e.4'];
    const inOrder = (...offsets: readonly string[]): FaultKind[] =>
      found({
        ...older,
        publishes: offsets.map((offset) =>
          Object.assign(acknowledged(offset), { publisher: 'p', stream: 's' }),
        ),
        kept: ['e.1', 'e.2', 'f.3', 'f.4'].map((offset) => kept(offset)),
      });
    expect(inOrder(...all)).toEqual([]);
    expect(inOrder('e.1', 'e.2', 'f.3', 'e.4', 'f.4', 'e.3')).toEqual(['reordered']);
    expect(inOrder('e.1', 'e.2', 'f.4', 'e.3', 'f.3', 'e.4')).toEqual(['reordered']);
    expect(inOrder('e.1', 'e.3', 'f.3', 'e.2', 'f.4', 'e.4')).toEqual(['reordered']);
    expect(inOrder('e.1', 'f.3', 'e.2', 'e.3', 'f.4', 'e.4')).toEqual(['reordered']);
  });

  it('the oracle requires that a subscriber is told when the log was emptied, and then gets all that is new', () => {
    const emptied: Partial<History> = {
      publishes: [acknowledged('e.1'), acknowledged('g.1'), acknowledged('g.2')],
      kept: [kept('g.1'), kept('g.2')],
      earlier: [{ epoch: 'e', cut: -1 }],
      mayLose: true,
    };
    const start = [subscribed('new', 'e.0'), ...deliveries('e.1')];
    const after = deliveries('g.1', 'g.2');
    expect(found({ ...emptied, ...subscriber(...start, gap, ...after) })).toEqual([]);
    expect(found({ ...emptied, ...subscriber(...start, ...after) })).toEqual(['silentGap']);
    const told = subscribed('e.1', 'g.0', false);
    expect(found({ ...emptied, ...subscriber(...start, told, ...after) })).toEqual([]);
    expect(found({ ...emptied, ...subscriber(...start, told, ...after.slice(1)) })).toEqual(['silentGap']);
    const silent = subscribed('e.1', 'g.0', true);
    expect(found({ ...emptied, ...subscriber(...start, silent, ...after) })).toEqual(['silentGap']);
  });
});
