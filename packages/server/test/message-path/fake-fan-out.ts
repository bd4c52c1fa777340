import { randomUUID } from 'node:crypto';
import { FanfareError, type Form } from '@fanfare/protocol';
import { onTestFinished } from 'vitest';
import { unrestrictedIdentity } from '../../src/access/identity.ts';
import { DecisionCache, Rights } from '../../src/access/rights.ts';
import { defaultRule, parseRules } from '../../src/config/rules.ts';
import { Invariants } from '../../src/observability/invariants.ts';
import { failOn } from '../log/open-local-log.ts';
import { LocalTopicLog } from '../../src/log/local/local-topic-log.ts';
import { MemoryStore } from '../../src/log/store/memory-store.ts';
import type { TopicLog } from '../../src/log/topic-log.ts';
import type { FanOut } from '../../src/message-path/fan-out.ts';
import type { Audience, LiveEvent, PeerEvent } from '../../src/message-path/peer-events.ts';
import { RateLimits } from '../../src/limits/rate-limits.ts';
import { MessagePath } from '../../src/message-path/message-path.ts';
import type { Peer } from '../../src/message-path/peer.ts';
import type { Connection } from '../../src/message-path/connection.ts';
import { SingleNode, type Cluster } from '../../src/nodes/cluster.ts';
import { Rules } from '../../src/rules/rule.ts';
import { SubscriptionIndex } from '../../src/subscriptions/subscription-index.ts';

/** A client at the port: it accepts a number of events, and then none until it reads. */
export class FakePeer implements Peer {
  readonly received: string[] = [];
  readonly joined: Set<string> = new Set();
  readonly id: string = randomUUID();
  readonly transport = 'fake';
  readonly address = '';
  readonly waitingBytes = 0;
  connection: Connection | undefined;
  /** The number of events that it can still accept. */
  room: number = Infinity;
  #isMissing = false;

  join({ name }: Audience, form: Form): void {
    this.joined.add(`${form} ${name}`);
  }

  leave({ name }: Audience, form: Form): void {
    this.joined.delete(`${form} ${name}`);
  }

  notify({ name, argumentJson }: PeerEvent): void {
    this.received.push(`${name} ${argumentJson}`);
  }

  offer(events: readonly PeerEvent[]): boolean {
    this.#isMissing = this.room < 1;
    if (this.#isMissing) return false;
    this.room -= events.length;
    for (const event of events) this.notify(event);
    return true;
  }

  end(): void {
    this.connection?.close();
  }

  /** Accepts all waiting events, and has space for a number of further ones. */
  read(room: number): void {
    this.room = room;
    if (this.#isMissing && room > 0) {
      this.#isMissing = false;
      this.connection?.drained();
    }
  }

  offerLive(event: LiveEvent): boolean {
    if (!event.audiences.some(({ name }) => this.joined.has(`${event.form} ${name}`))) return false;
    if (this.offer([event])) return true;
    this.connection?.overflow(event);
    return false;
  }
}

/** Peers and the fan-out to them, at the ports. */
export class FakeFanOut implements FanOut {
  readonly broadcasts: string[] = [];
  readonly waitingBytes = 0;
  readonly #peers: FakePeer[] = [];

  connect(path: MessagePath, rights: Rights = anything): FakePeer {
    const peer = new FakePeer();
    peer.connection = path.connections.accept(peer, rights);
    this.#peers.push(peer);
    return peer;
  }

  async ready(): Promise<void> {}

  broadcast(event: LiveEvent): number {
    this.broadcasts.push(event.argumentJson);
    return this.#peers.filter((peer) => peer.offerLive(event)).length;
  }
}

/** An identity with all rights. */
export const anything: Rights = new Rights(
  unrestrictedIdentity,
  new Rules([], defaultRule),
  new DecisionCache(),
);

export const limits = { publishBytesMax: 1_000, batchMessagesMax: 100, subscriptionsPerConnectionMax: 100 };

export function rulesFrom(rules: unknown): Rules {
  const parsed = parseRules(rules);
  if (!('rules' in parsed)) throw new Error(parsed.problems.map(({ text }) => text).join());
  return new Rules(parsed.rules, defaultRule);
}

/** A log in memory with a stopped clock, which keeps messages by the rules. */
export function memoryLog(rules: unknown = []): TopicLog {
  const log = new LocalTopicLog({
    store: new MemoryStore(),
    rules: rulesFrom(rules),
    now: () => 1,
    invariants: new Invariants({ warn: failOn, error: failOn }),
    onClockEvent: () => {},
    newEpoch: 'e',
    idWindowMs: 1_000,
    idsMax: 10,
    topicsMax: 100,
    isInUse: () => false,
    unusedPerSubjectMax: Infinity,
    memoryBytesMax: Infinity,
    onWritable: () => {},
    onFailure: (error) => {
      throw error;
    },
  });
  onTestFinished(() => log.close());
  return log;
}

export function pathOver(
  log: TopicLog,
  fanOut: FanOut,
  own: Partial<typeof limits> = {},
  rules: unknown = [],
  cluster: Cluster = new SingleNode(),
): MessagePath {
  return new MessagePath({
    log,
    index: new SubscriptionIndex(),
    rules: rulesFrom(rules),
    fanOuts: [fanOut],
    limits: { ...limits, ...own },
    rates: new RateLimits({ publish: {}, subscribe: {}, monotonicMs: () => 0 }),
    cluster,
    health: { time: 1, startedAt: 1, loopDelayMs: { p50: 0, p99: 0, max: 0 } },
    onSlow: () => {},
    onFailure: () => new FanfareError('internal', 'The server failed.'),
    now: () => 1,
  });
}
