import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Offset, Topic } from '@fanfare/protocol';
import { RedisNode } from '../../../src/log/redis/redis-node.ts';
import type { Frame } from '../../../src/log/redis/library.ts';
import { parseRedisUrl } from '../../../src/log/redis/redis-url.ts';
import {
  LogBusyError,
  LogClosedError,
  LogUncertainError,
  LogUnreachableError,
  type AppendOutcome,
  type LogRecord,
} from '../../../src/log/topic-log.ts';
import { Invariants } from '../../../src/observability/invariants.ts';
import { Rules, type Rule } from '../../../src/rules/rule.ts';
import { FakeNetwork } from './fake-network.ts';
import { fakeLibrary, newRecord, unstoredPrefix } from './fake-redis.ts';
import type { LogLibrary } from '../../../src/log/redis/library.ts';

const keepAll: Rule = {
  match: '**' as Topic,
  keep: { count: 1e6, ageMs: 1e12, bytes: 1e12 },
  create: 'publish',
  publishBytesMax: 1e6,
};
const rules = new Rules([{ ...keepAll, match: `${unstoredPrefix}**` as Topic, keep: 'none' }], keepAll);

type Seen =
  | { readonly kind: 'records'; readonly records: readonly LogRecord[] }
  | { readonly kind: 'missed' | 'read' }
  | { readonly kind: 'behind'; readonly from: Offset; readonly to: Offset };

interface Publish {
  readonly messages: readonly number[];
  outcome?: readonly AppendOutcome[] | Error;
  /** The number of messages that were applied when it was rejected. */
  appliedBefore?: number;
}

/** A node over a network that the test controls. */
class Lab {
  readonly network = new FakeNetwork(() => 1_000_000 + performance.now());
  readonly seen: Seen[] = [];
  readonly publishes: Publish[] = [];
  readonly invariants = new Invariants({ warn: () => {}, error: () => {} });
  node!: RedisNode<LogLibrary>;
  #messages = 0;
  #others = 0;

  async begin(): Promise<this> {
    const opened = RedisNode.open<LogLibrary>({
      servers: parseRedisUrl('redis://fake'),
      prefix: '{fanfare}:',
      node: 'one',
      replicas: 0,
      functions: {
        code: '',
        decodeFrame: (payload) => JSON.parse(String(payload)) as Frame,
        create: fakeLibrary,
      },
      rules,
      invariants: this.invariants,
      logger: { warn: () => {}, error: () => {} },
      onText: () => {},
      open: this.network.open,
      random: () => 0.5,
    });
    await this.settle();
    this.node = await opened;
    this.network.onSince = () => this.seen.push({ kind: 'read' });
    this.node.listen({
      onRecords: (records) => this.seen.push({ kind: 'records', records }),
      onMissed: () => this.seen.push({ kind: 'missed' }),
      onBehind: (from) => this.seen.push({ kind: 'behind', from, to: this.node.tail.place }),
    });
    return this;
  }

  /** Lets everything on its way arrive, until nothing is waiting. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 5;) {
      quiet = this.network.pump() ? 0 : quiet + 1;
      await vi.advanceTimersByTimeAsync(0);
    }
  }

  publish(count: number, isStored: boolean): Publish {
    const messages = Array.from({ length: count }, () => ++this.#messages);
    const publish: Publish = { messages };
    this.publishes.push(publish);
    this.node.append(messages.map((message) => newRecord(message, isStored))).then(
      (outcome) => (publish.outcome = outcome),
      (error: unknown) => {
        publish.outcome = error as Error;
        publish.appliedBefore = this.network.redis.applied.length;
      },
    );
    return publish;
  }

  /** Another node appends. */
  publishElsewhere(count: number, isStored: boolean): void {
    const records = Array.from({ length: count }, () => newRecord(1_000_000 + ++this.#others, isStored));
    const call = { node: 'two', seen: this.network.redis.place, validUntil: Infinity, records };
    for (let tries = 0; tries < 2; tries++) {
      if (this.network.redis.append({ ...call, number: 1_000 + this.#others }).kind === 'done') return;
    }
  }

  /** Ends all faults, and waits until the node has followed. */
  async heal(): Promise<void> {
    this.network.isReachable = true;
    for (let second = 0; second < 8; second++) {
      await this.settle();
      await vi.advanceTimersByTimeAsync(1_000);
      if (this.network.subscriber && second < 7) this.network.subscriber.isSilent = false;
    }
    await this.settle();
  }
}

let labs: Lab[] = [];

async function lab(): Promise<Lab> {
  const made = await new Lab().begin();
  labs.push(made);
  return made;
}

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
});

afterEach(async () => {
  await closeLabs();
  vi.useRealTimers();
});

async function closeLabs(): Promise<void> {
  for (const each of labs) {
    const closed = each.node.close();
    await each.settle();
    await vi.advanceTimersByTimeAsync(2_000);
    await closed;
  }
  labs = [];
}

function recordsOf({ seen }: Lab): number[] {
  return seen
    .flatMap((each) => (each.kind === 'records' ? each.records : []))
    .map(({ messageJson }) => Number(messageJson));
}

describe('an append', () => {
  it('is made once, with its first outcome, when the answer is lost', async () => {
    const { network, ...rest } = await lab();
    const one = labs[0] as Lab;
    const publish = one.publish(2, true);
    await vi.advanceTimersByTimeAsync(0);
    network.commands?.carryOutNext();
    network.commands?.cut();
    await vi.advanceTimersByTimeAsync(200);
    await one.settle();
    expect(rest.publishes[0]).toBe(publish);
    expect(publish.outcome).toMatchObject([{ kind: 'appended', sequence: 1 }, { sequence: 2 }]);
    expect(network.redis.applied).toEqual(['1', '2']);
  });

  it('is sent again before new ones, so that the order stays', async () => {
    const one = await lab();
    for (let at = 0; at < 6; at++) {
      one.publish(1, true);
      await vi.advanceTimersByTimeAsync(0);
    }
    one.network.commands?.cut();
    one.publish(1, true);
    await vi.advanceTimersByTimeAsync(200);
    await one.settle();
    expect(one.network.redis.applied).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    expect(recordsOf(one)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('keeps four batches in flight, and puts what comes meanwhile into the next', async () => {
    const one = await lab();
    for (let at = 0; at < 20; at++) {
      one.publish(1, true);
      await vi.advanceTimersByTimeAsync(0);
    }
    const { batch } = one.network.redis.state();
    await one.settle();
    expect(one.network.redis.state().batch - batch).toBe(5);
    expect(one.network.redis.applied).toHaveLength(20);
  });

  it('that was never sent did not happen after two seconds, and is not sent later', async () => {
    const one = await lab();
    one.network.isReachable = false;
    one.network.commands?.cut();
    await vi.advanceTimersByTimeAsync(0);
    const publish = one.publish(1, true);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(publish.outcome).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(publish.outcome).toBeInstanceOf(LogUnreachableError);
    await one.heal();
    expect(one.network.redis.applied).toEqual([]);
  });

  it('that was sent is uncertain after two seconds, and cannot happen after that', async () => {
    const one = await lab();
    const publish = one.publish(1, true);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(publish.outcome).toBeInstanceOf(LogUncertainError);
    await one.settle();
    expect(one.network.redis.applied).toEqual([]);
  });

  it('that is late on its first way did not happen', async () => {
    const one = await lab();
    vi.spyOn(one.network.redis, 'append').mockReturnValue({ kind: 'late' });
    const publish = one.publish(1, true);
    await one.settle();
    expect(publish.outcome).toBeInstanceOf(LogUnreachableError);
  });

  it('that is late on its second way is uncertain', async () => {
    const one = await lab();
    const publish = one.publish(1, true);
    await vi.advanceTimersByTimeAsync(0);
    one.network.commands?.cut();
    vi.spyOn(one.network.redis, 'append').mockReturnValue({ kind: 'late' });
    await vi.advanceTimersByTimeAsync(100);
    await one.settle();
    expect(publish.outcome).toBeInstanceOf(LogUncertainError);
  });

  it('is sent again when Redis has begun a new epoch for it', async () => {
    const one = await lab();
    one.publish(3, true);
    await one.settle();
    one.network.redis.restoreOlder(1);
    const publish = one.publish(1, true);
    await one.settle();
    expect(publish.outcome).toMatchObject([{ kind: 'appended', epoch: 'E2' }]);
    expect(one.node.epoch).toBe('E2');
  });

  it('without records resolves after earlier ones are settled, and not before', async () => {
    const one = await lab();
    const first = one.publish(1, true);
    const barrier = one.publish(0, true);
    await vi.advanceTimersByTimeAsync(0);
    expect(barrier.outcome).toBeUndefined();
    one.network.commands?.carryOutNext();
    one.network.commands?.answerNext();
    const later = one.publish(1, true);
    await vi.advanceTimersByTimeAsync(0);
    expect([first.outcome !== undefined, barrier.outcome, later.outcome]).toEqual([true, [], undefined]);
  });

  it('is refused when 64 MiB wait, and others succeed once they do not', async () => {
    const one = await lab();
    one.network.isReachable = false;
    one.network.commands?.cut();
    await vi.advanceTimersByTimeAsync(0);
    const large = { ...newRecord(1), messageJson: JSON.stringify('x'.repeat(1_000_000)) };
    const results = Array.from({ length: 70 }, () =>
      one.node.append([large]).catch((error: unknown) => error),
    );
    const refused = await Promise.race(results);
    expect(refused).toBeInstanceOf(LogBusyError);
    await vi.advanceTimersByTimeAsync(2_000);
    const all = await Promise.all(results);
    expect(all.filter((error) => error instanceof LogUnreachableError)).toHaveLength(67);
    await one.heal();
    const publish = one.publish(1, true);
    await one.settle();
    expect(publish.outcome).toMatchObject([{ kind: 'appended' }]);
  });

  it('is refused after the log is closed, and earlier ones are settled', async () => {
    const one = await lab();
    const earlier = one.publish(1, true);
    const closed = one.node.close();
    const later = one.publish(1, true);
    await one.settle();
    await closed;
    expect(later.outcome).toBeInstanceOf(LogClosedError);
    expect(earlier.outcome).toMatchObject([{ kind: 'appended' }]);
  });
});

describe('the tail', () => {
  it('delivers held messages after a lost frame was read from the log', async () => {
    const one = await lab();
    for (let at = 0; at < 3; at++) one.publishElsewhere(1, true);
    one.network.subscriber?.frames.splice(0, 1);
    await one.settle();
    expect(recordsOf(one)).toEqual([1_000_001, 1_000_002, 1_000_003]);
    expect(one.seen.filter(({ kind }) => kind === 'missed')).toHaveLength(1);
  });

  it('delivers unstored messages that were held', async () => {
    const one = await lab();
    one.publishElsewhere(1, true);
    one.publishElsewhere(1, false);
    one.publishElsewhere(1, true);
    one.network.subscriber?.frames.splice(0, 1);
    await one.settle();
    expect(recordsOf(one)).toEqual([1_000_001, 1_000_002, 1_000_003]);
  });

  it('replaces a connection that is open and gets nothing', async () => {
    const one = await lab();
    const silent = one.network.subscriber;
    if (silent) silent.isSilent = true;
    one.publishElsewhere(1, true);
    for (let second = 0; second < 3; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      await one.settle();
    }
    expect(one.network.subscriber).not.toBe(silent);
    expect(recordsOf(one)).toEqual([1_000_001]);
    one.publishElsewhere(1, true);
    await one.settle();
    expect(recordsOf(one)).toEqual([1_000_001, 1_000_002]);
  });

  it('continues without a word in a new epoch that has lost nothing', async () => {
    const one = await lab();
    one.publishElsewhere(2, true);
    await one.settle();
    one.network.redis.restart();
    one.publishElsewhere(1, true);
    await one.settle();
    expect(recordsOf(one)).toEqual([1_000_001, 1_000_002, 1_000_003]);
    expect(one.seen.every(({ kind }) => kind === 'records')).toBe(true);
    expect(one.node.epoch).toBe('E2');
  });

  it('tells from where to read when the log has lost what was delivered', async () => {
    const one = await lab();
    for (let at = 0; at < 3; at++) one.publishElsewhere(1, true);
    await one.settle();
    one.network.redis.promoteOlder(2);
    one.publishElsewhere(1, true);
    await one.settle();
    expect(one.seen.at(-1)).toEqual({
      kind: 'behind',
      from: { epoch: 'E1', sequence: 3 },
      to: { epoch: 'E2', sequence: 2 },
    });
    expect(one.node.head).toBe(2);
  });

  it('tells from where to read when Redis was emptied', async () => {
    const one = await lab();
    one.publishElsewhere(3, true);
    await one.settle();
    one.network.redis.empty();
    one.publishElsewhere(1, true);
    await one.settle();
    expect(one.seen.at(-1)).toEqual({
      kind: 'behind',
      from: { epoch: 'E1', sequence: 3 },
      to: { epoch: 'E2', sequence: 1 },
    });
  });

  it('continues at the head when it is more than 100,000 messages behind', async () => {
    const one = await lab();
    one.network.subscriber?.cut();
    for (let at = 0; at < 101; at++) one.publishElsewhere(1_000, true);
    await one.heal();
    expect(one.seen).toEqual([
      { kind: 'behind', from: { epoch: 'E1', sequence: 0 }, to: { epoch: 'E1', sequence: 101_000 } },
    ]);
  });

  it('holds at most 8 MiB of frames while it cannot read, and then reads what it dropped', async () => {
    const one = await lab();
    one.network.isReachable = false;
    one.network.commands?.cut();
    await vi.advanceTimersByTimeAsync(0);
    const { tail } = one.node;
    const { batch } = tail;
    const frame = (at: number): Frame => ({
      epoch: 'E1',
      batch: batch + 1 + at,
      headBefore: at,
      head: at + 1,
      time: 0,
      records: [],
      deleted: [],
    });
    for (let at = 1; at < 100; at++) tail.receive(frame(at), 1_000_000);
    expect(tail.heldBytes).toBeLessThanOrEqual(8_388_608);
  });

  it('resolves a wait for a place in a turn in which it is there', async () => {
    const one = await lab();
    one.publishElsewhere(2, true);
    let isReached = false;
    const reached = one.node.reached({ epoch: 'E1', sequence: 2 }).then(() => (isReached = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(isReached).toBe(false);
    one.network.subscriber?.deliverFrame();
    await reached;
    expect(one.node.head).toBe(2);
  });

  it('resolves a wait for a message that is not stored once the message has come', async () => {
    const one = await lab();
    one.publishElsewhere(1, false);
    const { batch } = one.node.tail;
    let isReached = false;
    const place = { epoch: 'E1', sequence: 0, batch: batch + 1 };
    const reached = one.node.reached(place).then(() => (isReached = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(isReached).toBe(false);
    one.network.subscriber?.deliverFrame();
    await reached;
    expect(one.node.head).toBe(0);
  });

  it('refuses a wait for a place that the log has lost', async () => {
    const one = await lab();
    one.publishElsewhere(2, true);
    one.publishElsewhere(2, true);
    await one.settle();
    one.network.redis.promoteOlder(1);
    one.publishElsewhere(1, true);
    await one.settle();
    await expect(one.node.reached({ epoch: 'E1', sequence: 4 })).rejects.toBeInstanceOf(LogUnreachableError);
    await expect(one.node.reached({ epoch: 'E1', sequence: 2 })).resolves.toBeUndefined();
  });

  it('refuses a wait for a place of a log that is gone', async () => {
    const one = await lab();
    const refused = one.node.reached({ epoch: 'unknown', sequence: 1 }).catch((error: unknown) => error);
    await one.settle();
    expect(await refused).toBeInstanceOf(LogUnreachableError);
  });
});

type Step =
  | { readonly do: 'publish' | 'elsewhere'; readonly count: number; readonly isStored: boolean }
  | { readonly do: 'carryOut' | 'answer' | 'frame' | 'pump'; readonly count: number }
  | { readonly do: 'tick'; readonly ms: number }
  | { readonly do: 'promote' | 'restore'; readonly lag: number }
  | {
      readonly do:
        | 'loseFrame'
        | 'cutCommands'
        | 'cutSubscriber'
        | 'silence'
        | 'stray'
        | 'restart'
        | 'empty'
        | 'unreachable'
        | 'reachable';
    };

const count = fc.integer({ min: 1, max: 4 });
const isStored = fc.boolean();
const usual = fc.oneof(
  fc.record({ do: fc.constantFrom('publish' as const, 'elsewhere' as const), count, isStored }),
  fc.record({
    do: fc.constantFrom('carryOut' as const, 'answer' as const, 'frame' as const, 'pump' as const),
    count: fc.integer({ min: 1, max: 8 }),
  }),
  fc.record({ do: fc.constant('tick' as const), ms: fc.constantFrom(0, 1, 20, 100, 400, 1_000, 2_500) }),
);
const fault = fc.record({
  do: fc.constantFrom(
    'loseFrame' as const,
    'cutCommands' as const,
    'cutSubscriber' as const,
    'silence' as const,
    'stray' as const,
    'unreachable' as const,
    'reachable' as const,
  ),
});
const loss = fc.oneof(
  fc.record({ do: fc.constantFrom('restart' as const, 'empty' as const) }),
  fc.record({
    do: fc.constantFrom('promote' as const, 'restore' as const),
    lag: fc.integer({ min: 0, max: 6 }),
  }),
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 3, arbitrary: fault }, { weight: 1, arbitrary: loss }),
  { maxLength: 80, size: 'max' },
);
const stepsWithoutLoss: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 3, arbitrary: fault }),
  { maxLength: 80, size: 'max' },
);

function take(one: Lab, step: Step): void {
  const { network } = one;
  const { redis } = network;
  switch (step.do) {
    case 'publish':
      one.publish(step.count, step.isStored);
      break;
    case 'elsewhere':
      one.publishElsewhere(step.count, step.isStored);
      break;
    case 'carryOut':
      for (let at = 0; at < step.count; at++) network.commands?.carryOutNext();
      break;
    case 'answer':
      for (let at = 0; at < step.count; at++) network.commands?.answerNext();
      break;
    case 'frame':
      for (let at = 0; at < step.count; at++) network.subscriber?.deliverFrame();
      break;
    case 'pump':
      for (let at = 0; at < step.count; at++) network.pump();
      break;
    case 'tick':
      break;
    case 'loseFrame':
      network.subscriber?.frames.shift();
      break;
    case 'cutCommands':
      network.commands?.cut();
      break;
    case 'cutSubscriber':
      network.subscriber?.cut();
      break;
    case 'silence':
      if (network.subscriber) network.subscriber.isSilent = true;
      break;
    case 'stray':
      network.strays.shift()?.carryOut();
      break;
    case 'restart':
      redis.restart();
      break;
    case 'promote':
      redis.promoteOlder(step.lag);
      network.commands?.cut();
      network.subscriber?.cut();
      break;
    case 'restore':
      redis.restoreOlder(step.lag);
      break;
    case 'empty':
      redis.empty();
      break;
    case 'unreachable':
      network.isReachable = false;
      break;
    case 'reachable':
      network.isReachable = true;
      break;
  }
}

async function run(script: readonly Step[]): Promise<Lab> {
  const one = await lab();
  for (const step of script) {
    take(one, step);
    await vi.advanceTimersByTimeAsync(step.do === 'tick' ? step.ms : 0);
  }
  await one.heal();
  return one;
}

/** Nothing that the log still has was left out, or came twice, without a word. */
function checkTail(one: Lab): void {
  const { redis } = one.network;
  expect(one.node.tail.place).toEqual(redis.place);
  expect(one.node.tail.batch).toBe(redis.state().batch);
  expect(one.invariants.counts.size).toBe(0);
  let place = 0;
  for (const each of one.seen) {
    if (each.kind === 'behind') {
      expect(each.from.sequence).toBe(place);
      place = each.to.sequence;
    }
    if (each.kind !== 'records') continue;
    for (const { ordinal, sequence } of each.records) {
      expect(sequence).toBe(ordinal === 0 ? place : place + 1);
      place = sequence;
    }
  }
  checkUnstored(one);
}

/** Each unstored message of the log was delivered, or it was told that some may be missing there. */
function checkUnstored({ seen, network }: Lab): void {
  // A message that Redis has lost may be sent again: then it comes twice, in two epochs.
  const nameOf = ({ epoch, messageJson }: LogRecord): string => `${epoch} ${messageJson}`;
  const batchOf = new Map<string, number>();
  for (const { batch, records } of network.redis.history) {
    for (const record of records) batchOf.set(nameOf(record), batch);
  }
  // While the tail reads, it delivers nothing else: a loss there is told at the end.
  let [last, isTold, isReading] = [0, true, false];
  const delivered = new Set<string>();
  const told: { from: number; to: number }[] = [];
  for (const each of seen) {
    if (each.kind === 'read') isReading = true;
    else if (each.kind !== 'records') [isTold, isReading] = [true, false];
    else {
      for (const record of each.records) {
        delivered.add(nameOf(record));
        const batch = batchOf.get(nameOf(record));
        if (batch === undefined) continue;
        if (isReading) continue;
        if (isTold) told.push({ from: last, to: batch });
        [last, isTold] = [batch, false];
      }
    }
  }
  if (isTold) told.push({ from: last, to: Infinity });
  for (const [message, batch] of batchOf) {
    if (delivered.has(message)) continue;
    expect(told.some(({ from, to }) => from <= batch && batch <= to)).toBe(true);
  }
}

function checkAppends({ publishes, network }: Lab): void {
  const { applied, history } = network.redis;
  const kept = history.flatMap(({ records }) => records.map(({ messageJson }) => messageJson));
  expect(new Set(kept).size).toBe(kept.length);
  for (const { messages, outcome, appliedBefore = Infinity } of publishes) {
    expect(outcome).toBeDefined();
    // What was reported as failed does not happen later.
    for (const message of messages) expect(applied.slice(appliedBefore)).not.toContain(String(message));
    if (outcome instanceof LogUnreachableError) {
      for (const message of messages) expect(applied).not.toContain(String(message));
    } else if (outcome instanceof Error) expect(outcome).toBeInstanceOf(LogUncertainError);
    else for (const message of messages) expect(applied).toContain(String(message));
  }
}

/** A message is delivered, lost before its answer comes, and sent again after one of another node. */
function lostAndSentAgain(how: 'promote' | 'restore', lag: number): Step[] {
  return [
    { do: 'publish', count: 1, isStored: false },
    { do: 'publish', count: 1, isStored: false },
    { do: 'carryOut', count: 2 },
    { do: 'frame', count: 2 },
    { do: how, lag },
    { do: 'cutCommands' },
    { do: 'elsewhere', count: 1, isStored: false },
  ];
}

const runs = 300;

describe('a node in any order of events', () => {
  it('makes each message once, in order, and tells every loss, while Redis loses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(stepsWithoutLoss, async (script) => {
        const one = await run(script);
        await closeLabs();
        checkTail(one);
        checkAppends(one);
        expect(new Set(one.network.redis.applied).size).toBe(one.network.redis.applied.length);
        const own = one.network.redis.applied.map(Number).filter((message) => message < 1_000_000);
        expect(own).toEqual(own.toSorted((first, second) => first - second));
      }),
      { numRuns: runs },
    );
  }, 120_000);

  it('makes each message once, and tells every loss, while Redis restarts, loses its newest messages or all', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const one = await run(script);
        await closeLabs();
        checkTail(one);
        checkAppends(one);
      }),
      { numRuns: runs, examples: [[lostAndSentAgain('promote', 1)], [lostAndSentAgain('restore', 1)]] },
    );
  }, 120_000);
});
