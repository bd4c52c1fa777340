import type { ConnectionDetails, ConnectionInfo, NodeStats, SubscriberInfo, Topic } from '@fanfare/protocol';
import type { Revocation } from '../log/topic-log.ts';

/** One page of a list. */
export interface Part<T, Place> {
  readonly items: readonly T[];
  /** The place where the next page begins. Absent on the last page. */
  readonly next?: Place;
}

/** The last subscription of a page, with the number of its connection. */
export interface SubscriberPlace {
  readonly connection: number;
  readonly subscription: string;
}

/** The questions that nodes ask each other: what is asked, and what is answered. Both are JSON. */
export interface Questions {
  /** The figures of the node. */
  readonly stats: { readonly asked: null; readonly answer: NodeStats };
  /** The number of subscriptions on the node that receive the messages of each topic. */
  readonly subscribers: { readonly asked: readonly Topic[]; readonly answer: readonly number[] };
  readonly connections: {
    readonly asked: { readonly limit: number; readonly after: number };
    readonly answer: Part<ConnectionInfo, number>;
  };
  readonly connection: { readonly asked: string; readonly answer: ConnectionDetails | null };
  /** Ends a connection. The answer says whether the node has it. */
  readonly endConnection: { readonly asked: string; readonly answer: boolean };
  readonly subscribersOf: {
    readonly asked: { readonly topic: Topic; readonly limit: number; readonly after: SubscriberPlace };
    readonly answer: Part<SubscriberInfo, SubscriberPlace>;
  };
  /** Applies a revocation that is stored already. */
  readonly revoke: { readonly asked: Revocation; readonly answer: Revoked };
}

/** The effect of a revocation on one node. */
export interface Revoked {
  /** The number of connections that it ended. */
  readonly ended: number;
  /** Issue times of tokens that the node has seen, and that are later than the revocation. */
  readonly ahead: readonly number[];
}

export type Question = keyof Questions;

/** Answers the questions of all nodes, this one included, from what this node alone knows. */
export type Answering = {
  readonly [Q in Question]: (
    asked: Questions[Q]['asked'],
  ) => Questions[Q]['answer'] | Promise<Questions[Q]['answer']>;
};

/**
 * The nodes that together are one Fanfare: they share a log. A server with a log of its own is the only node.
 */
export interface Cluster {
  /** The id of this node. Empty if it is the only one. */
  readonly nodeId: string;
  /** Resolves to the ids of the nodes that are alive, this one included, in their order. */
  nodes(): Promise<readonly string[]>;
  /**
   * Asks one node, which can be this one.
   *
   * @returns undefined if the node does not answer within a second
   */
  ask<Q extends Question>(
    node: string,
    question: Q,
    asked: Questions[Q]['asked'],
  ): Promise<Questions[Q]['answer'] | undefined>;
  /** Sets how this node answers to some of the questions. */
  serve(answering: Partial<Answering>): void;
}

/** The answers of all nodes. */
export interface Answers<Q extends Question> {
  readonly answers: readonly { readonly node: string; readonly answer: Questions[Q]['answer'] }[];
  /** The ids of the nodes that did not answer. */
  readonly silent: readonly string[];
}

/** Asks all nodes at the same time. */
export async function askAll<Q extends Question>(
  cluster: Cluster,
  question: Q,
  asked: Questions[Q]['asked'],
): Promise<Answers<Q>> {
  return askEach(cluster, await cluster.nodes(), question, asked);
}

/** Asks all nodes but this one at the same time. */
export async function askOthers<Q extends Question>(
  cluster: Cluster,
  question: Q,
  asked: Questions[Q]['asked'],
): Promise<Answers<Q>> {
  const others = (await cluster.nodes()).filter((node) => node !== cluster.nodeId);
  return askEach(cluster, others, question, asked);
}

async function askEach<Q extends Question>(
  cluster: Cluster,
  nodes: readonly string[],
  question: Q,
  asked: Questions[Q]['asked'],
): Promise<Answers<Q>> {
  const answers: Answers<Q>['answers'][number][] = [];
  const silent: string[] = [];
  const all = await Promise.all(nodes.map((node) => cluster.ask(node, question, asked)));
  for (const [at, node] of nodes.entries()) {
    const answer = all[at];
    if (answer === undefined) silent.push(node);
    else answers.push({ node, answer });
  }
  return { answers, silent };
}

/** Answers as this node: the part that every cluster shares. */
export class OwnAnswers {
  readonly #answering: { -readonly [Q in Question]?: Answering[Q] } = {};

  serve(answering: Partial<Answering>): void {
    Object.assign(this.#answering, answering);
  }

  async to<Q extends Question>(
    question: Q,
    asked: Questions[Q]['asked'],
  ): Promise<Questions[Q]['answer'] | undefined> {
    return this.#answering[question]?.(asked);
  }
}

/** A server that is the only node. */
export class SingleNode implements Cluster {
  readonly nodeId = '';
  readonly #own = new OwnAnswers();

  async nodes(): Promise<readonly string[]> {
    return [this.nodeId];
  }

  ask<Q extends Question>(
    _node: string,
    question: Q,
    asked: Questions[Q]['asked'],
  ): Promise<Questions[Q]['answer'] | undefined> {
    return this.#own.to(question, asked);
  }

  serve(answering: Partial<Answering>): void {
    this.#own.serve(answering);
  }
}
