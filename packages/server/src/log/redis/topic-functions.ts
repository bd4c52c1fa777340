import type { Pattern, Topic } from '@fanfare/protocol';
import type { LogUsage, Revocation, TopicCreation, TopicQuery, TopicState } from '../topic-log.ts';
import type { FunctionClient } from './function-client.ts';
import type { PatternUse, StoredRevocations, Sweep, TopicLibrary, TopicUse } from './library.ts';
import { textOf, topicStateOf } from './replies.ts';
import { decodeRevocations, encodeTimes } from './revocation-codec.ts';

/** The functions about topics, and those of the log's upkeep. */
export class TopicFunctions implements TopicLibrary {
  readonly #client: FunctionClient;

  constructor(client: FunctionClient) {
    this.#client = client;
  }

  async list({ prefix, after = '', limit }: TopicQuery): Promise<readonly TopicState[]> {
    const reply = await this.#client.read('list', prefix, after, limit);
    return reply.list().flatMap((state) => topicStateOf(state) ?? []);
  }

  async state(topic: Topic): Promise<TopicState | undefined> {
    return topicStateOf((await this.#client.read('topic_state', topic)).list());
  }

  async declare(topic: Topic): Promise<TopicCreation> {
    const reply = await this.#client.ask(
      'declare',
      this.#client.limits,
      topic,
      this.#client.keepsNothing(topic),
    );
    return textOf(reply.list()[0]) as TopicCreation;
  }

  async use(node: string, topics: readonly Topic[]): Promise<void> {
    await this.#client.ask(
      'use',
      this.#client.limits,
      node,
      ...topics.flatMap((name) => [name, this.#client.keepsNothing(name)]),
    );
  }

  async touch(node: string, uses: readonly TopicUse[]): Promise<void> {
    const args = uses.flatMap(({ topic, isInUse }) => [topic, isInUse ? '1' : '0']);
    await this.#client.ask('touch', this.#client.limits, node, ...args);
  }

  async cover(node: string, uses: readonly PatternUse[]): Promise<void> {
    const args = uses.flatMap(({ pattern, isInUse }) => [pattern, isInUse ? '1' : '0']);
    await this.#client.ask('cover', node, ...args);
  }

  async patterns(
    known: string,
  ): Promise<{ readonly version: string; readonly patterns: readonly Pattern[] }> {
    const reply = await this.#client.read('patterns', known);
    const version = reply.text();
    return { version, patterns: reply.list().map((pattern) => textOf(pattern) as Pattern) };
  }

  async delete(topic: Topic): Promise<boolean> {
    return (await this.#client.ask('delete', topic)).number() === 1;
  }

  async sweep(node: string, journal: string): Promise<Sweep> {
    const reply = await this.#client.ask('sweep', this.#client.limits, node, journal);
    return {
      hasMore: reply.number() === 1,
      journal: reply.text(),
      trustedTime: reply.number(),
      wasGone: reply.number() === 1,
      revocationsVersion: reply.number(),
    };
  }

  async hasRules(): Promise<boolean> {
    return (await this.#client.read('rules')).text() === this.#client.rulesDigest;
  }

  async retain(topics: readonly Topic[], isLast: boolean): Promise<void> {
    const { limits, rulesDigest } = this.#client;
    const args = topics.flatMap((topic) => [topic, this.#client.ruleOf(topic)]);
    await this.#client.ask('retain', limits, isLast ? rulesDigest : '', ...args);
  }

  async leave(node: string): Promise<void> {
    while ((await this.#client.ask('leave', this.#client.limits, node)).number() === 1);
  }

  async usage(): Promise<LogUsage> {
    const reply = await this.#client.read('usage');
    const topics = reply.number();
    const bytes = reply.number();
    const bytesMax = reply.number();
    return { topics, kind: 'memory', bytes, ...(bytesMax > 0 && { bytesMax }) };
  }

  async revocations(): Promise<StoredRevocations> {
    const reply = await this.#client.read('revocations');
    const trustedTime = reply.number();
    const version = reply.number();
    return { trustedTime, version, revocations: decodeRevocations(reply.list()) };
  }

  async revoke(revocation: Revocation, ended: readonly string[]): Promise<void> {
    await this.#client.ask('revoke', revocation.subject, encodeTimes(revocation), ...ended);
  }
}
