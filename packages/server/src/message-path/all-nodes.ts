import {
  FanfareError,
  type ConnectionDetails,
  type ConnectionInfo,
  type Figures,
  type NodeStats,
  type Stats,
  type SubscriberInfo,
  type Topic,
} from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import type { TopicLog } from '../log/topic-log.ts';
import { askAll, type Cluster, type Part, type SubscriberPlace } from '../nodes/cluster.ts';
import { permitManaging } from './permit.ts';
import { refuseLogFailure } from './refusals.ts';
import type { TopicWatcher } from './topic-watcher.ts';

/** The place in a list that goes through one node after the other. */
export interface NodePlace<Place> {
  readonly node: string;
  /** Absent at the beginning of the node's list. */
  readonly place?: Place;
}

/** A page of such a list. */
export interface NodePart<T, Place> extends Part<T, NodePlace<Place>> {
  /** The nodes that did not answer: their items are missing. */
  readonly silent: readonly string[];
}

/** What operators ask of all nodes together. */
export class AllNodes {
  readonly #cluster: Cluster;
  readonly #log: TopicLog;
  readonly #watcher: TopicWatcher | undefined;

  constructor(cluster: Cluster, log: TopicLog, watcher: TopicWatcher | undefined) {
    this.#cluster = cluster;
    this.#log = log;
    this.#watcher = watcher;
  }

  /** @throws FanfareError `not_authorized`, `draining`, `storage_unavailable` */
  async stats(rights: Rights): Promise<Stats> {
    permitManaging(rights);
    const { topics, ...log } = await this.#log.usage().catch(refuseLogFailure);
    const { answers, silent } = await askAll(this.#cluster, 'stats', null);
    const own = answers.find(({ node }) => node === this.#cluster.nodeId)?.answer;
    if (!own) throw new Error('this node does not answer itself');
    const nodes = answers.map(({ answer }) => answer);
    const { time, startedAt, version, loopDelayMs } = own;
    return {
      time,
      startedAt,
      version,
      loopDelayMs,
      ...sumOf(nodes),
      topics,
      log,
      ...(this.#watcher && { webhooks: this.#watcher.stats }),
      ...(this.#cluster.nodeId !== '' && { nodes }),
      ...(silent.length > 0 && { silent }),
    };
  }

  /** The number of subscriptions that receive the messages of each topic. */
  async subscribers(topics: readonly Topic[]): Promise<readonly number[]> {
    const { answers } = await askAll(this.#cluster, 'subscribers', topics);
    return topics.map((_, at) => answers.reduce((sum, { answer }) => sum + (answer[at] ?? 0), 0));
  }

  /**
   * Lists connections: for each node in the order in which it accepted them.
   *
   * @throws FanfareError `not_authorized`
   */
  async connections(
    rights: Rights,
    limit: number,
    after?: NodePlace<number>,
  ): Promise<NodePart<ConnectionInfo, number>> {
    permitManaging(rights);
    return this.#list(limit, after, async (node, left, place = 0) => {
      const part = await this.#cluster.ask(node, 'connections', { limit: left, after: place });
      return part && { ...part, items: part.items.map((item) => withNode(item, node)) };
    });
  }

  /** @throws FanfareError `not_authorized`, `connection_not_found` */
  async connection(rights: Rights, id: string): Promise<ConnectionDetails> {
    permitManaging(rights);
    const { answers } = await askAll(this.#cluster, 'connection', id);
    for (const { node, answer } of answers) if (answer) return withNode(answer, node);
    throw connectionNotFound();
  }

  /** Ends a connection. @throws FanfareError `not_authorized`, `connection_not_found` */
  async endConnection(rights: Rights, id: string): Promise<void> {
    permitManaging(rights);
    const { answers } = await askAll(this.#cluster, 'endConnection', id);
    if (!answers.some(({ answer }) => answer)) throw connectionNotFound();
  }

  /**
   * Lists the subscriptions that receive the messages of a topic: those to the topic, and those to matching
   * patterns.
   *
   * @throws FanfareError `not_authorized`
   */
  async subscribersOf(
    rights: Rights,
    topic: Topic,
    limit: number,
    after?: NodePlace<SubscriberPlace>,
  ): Promise<NodePart<SubscriberInfo, SubscriberPlace>> {
    permitManaging(rights);
    return this.#list(limit, after, (node, left, place = { connection: 0, subscription: '' }) =>
      this.#cluster.ask(node, 'subscribersOf', { topic, limit: left, after: place }),
    );
  }

  async #list<T, Place>(
    limit: number,
    after: NodePlace<Place> | undefined,
    ask: (node: string, left: number, place?: Place) => Promise<Part<T, Place> | undefined>,
  ): Promise<NodePart<T, Place>> {
    const nodes = (await this.#cluster.nodes()).filter((node) => node >= (after?.node ?? ''));
    const items: T[] = [];
    const silent: string[] = [];
    for (const node of nodes) {
      if (items.length === limit) return { items, next: { node }, silent };
      const place = node === after?.node ? after.place : undefined;
      const part = await ask(node, limit - items.length, place);
      if (!part) {
        silent.push(node);
        continue;
      }
      items.push(...part.items);
      if (part.next !== undefined) return { items, next: { node, place: part.next }, silent };
    }
    return { items, silent };
  }
}

function sumOf(nodes: readonly NodeStats[]): Figures {
  const sum = (field: keyof Figures): number => nodes.reduce((all, node) => all + node[field], 0);
  return {
    connections: sum('connections'),
    subscriptions: sum('subscriptions'),
    publishes: sum('publishes'),
    deliveries: sum('deliveries'),
    bytesWaiting: sum('bytesWaiting'),
    catchingUp: sum('catchingUp'),
  };
}

/** The only node has no id. */
function withNode<T extends ConnectionInfo>(connection: T, node: string): T {
  return node === '' ? connection : { ...connection, node };
}

function connectionNotFound(): FanfareError {
  return new FanfareError('connection_not_found', 'This connection does not exist. It may have ended.');
}
