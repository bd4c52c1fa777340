import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../observability/logger.ts';
import { OwnAnswers, type Answering, type Cluster, type Question, type Questions } from './cluster.ts';

/** How the nodes that share a log know of each other, and send each other texts. */
export interface NodeTransport {
  /**
   * Makes this node known for ten seconds.
   *
   * @param address - the address at which other nodes reach it, `HOST:PORT`; empty if there is none
   * @returns the addresses of all nodes that are alive, by their ids
   */
  beat(address: string): Promise<ReadonlyMap<string, string>>;
  /** Sends a text to one node. It can be lost. */
  send(nodeId: string, text: string): Promise<void>;
  /** Makes the node unknown to the others. */
  leave(): Promise<void>;
}

export interface SharedClusterOptions {
  readonly nodeId: string;
  readonly transport: NodeTransport;
  readonly logger: Logger;
}

const beatIntervalMs = 1_000;

/** The time that a node has for an answer, in milliseconds. */
const answerMs = 1_000;

/** Other nodes are asked for again at most so often, in milliseconds, for an id that is not known. */
const lookupPauseMs = 100;

/** The nodes that share a log. They find each other, and ask each other, through a transport. */
export class SharedCluster implements Cluster {
  readonly nodeId: string;
  readonly #transport: NodeTransport;
  readonly #logger: Logger;
  readonly #own = new OwnAnswers();
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #asked = 0;
  #address = '';
  #addresses: ReadonlyMap<string, string> = new Map();
  #beating: Promise<void> | undefined;
  /** The next look-up of nodes. Everything that looks for an id until it begins waits for it. */
  #lookup: Promise<void> | undefined;
  #lookedUpAt = -Infinity;
  readonly #timer: NodeJS.Timeout;

  constructor({ nodeId, transport, logger }: SharedClusterOptions) {
    this.nodeId = nodeId;
    this.#transport = transport;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.#beat(), beatIntervalMs).unref();
  }

  serve(answering: Partial<Answering>): void {
    this.#own.serve(answering);
  }

  /** Makes known that other nodes reach this node at an address, `HOST:PORT`. */
  async announce(address: string): Promise<void> {
    this.#address = address;
    await this.#beating;
    await this.#beat();
  }

  async nodes(): Promise<readonly string[]> {
    if (this.#addresses.size === 0) await this.#beat();
    return [...new Set([...this.#addresses.keys(), this.nodeId])].toSorted();
  }

  /** The address of another node. Undefined if no living node has this id, or if it has no address. */
  async addressOf(nodeId: string): Promise<string | undefined> {
    // A node that has just started is not known yet, or without its address. The id may also be made up by a
    // client. Only a look-up that begins from now on can say that there is no such node.
    if (!this.#addresses.get(nodeId)) await (this.#lookup ??= this.#lookUp());
    return this.#addresses.get(nodeId) || undefined;
  }

  async ask<Q extends Question>(
    node: string,
    question: Q,
    asked: Questions[Q]['asked'],
  ): Promise<Questions[Q]['answer'] | undefined> {
    if (node === this.nodeId) return this.#own.to(question, asked);
    const number = ++this.#asked;
    const text = JSON.stringify({ from: this.nodeId, number, question, asked } satisfies Asked);
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<unknown>((resolve) => {
      this.#waiting.set(number, resolve);
      timer = setTimeout(() => resolve(undefined), answerMs);
      this.#transport.send(node, text).catch(() => resolve(undefined));
    });
    clearTimeout(timer);
    this.#waiting.delete(number);
    return answer as Questions[Q]['answer'] | undefined;
  }

  /** Receives what another node has sent to this one. */
  receive(text: string): void {
    const message = parseMessage(text);
    if (!message)
      this.#logger.warn({ text: text.slice(0, 100) }, 'A message of another node cannot be read.');
    else if ('question' in message) void this.#answer(message);
    else this.#waiting.get(message.number)?.(message.answer);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await this.#transport.leave().catch(() => {});
  }

  async #answer({ from, number, question, asked }: Asked): Promise<void> {
    try {
      const answer = await this.#own.to(question, asked as never);
      // A node of another version may ask what this one does not know. Then it does not answer.
      if (answer === undefined) return;
      await this.#transport.send(from, JSON.stringify({ number, answer } satisfies Answered));
    } catch (err) {
      this.#logger.warn({ err, node: from, question }, 'A question of another node could not be answered.');
    }
  }

  async #lookUp(): Promise<void> {
    const pauseMs = this.#lookedUpAt + lookupPauseMs - performance.now();
    if (pauseMs > 0) await sleep(pauseMs);
    await this.#beating;
    this.#lookup = undefined;
    this.#lookedUpAt = performance.now();
    await this.#beat();
  }

  /** Never rejects: while the transport fails, the nodes are those that were known last. */
  #beat(): Promise<void> {
    this.#beating ??= this.#transport
      .beat(this.#address)
      .then((addresses) => void (this.#addresses = addresses))
      .catch(() => {})
      .finally(() => (this.#beating = undefined));
    return this.#beating;
  }
}

interface Asked {
  readonly from: string;
  readonly number: number;
  readonly question: Question;
  readonly asked: unknown;
}

interface Answered {
  readonly number: number;
  readonly answer: unknown;
}

/** Anybody who can use Redis can send texts. Undefined if this one is not from a node. */
function parseMessage(text: string): Asked | Answered | undefined {
  try {
    const message = JSON.parse(text) as (Asked | Answered) | null;
    return typeof message?.number === 'number' ? message : undefined;
  } catch {
    return undefined;
  }
}
