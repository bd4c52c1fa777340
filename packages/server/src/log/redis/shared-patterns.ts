import type { Topic } from '@fanfare/protocol';
import { PatternTree } from '../../subscriptions/pattern-tree.ts';
import type { TopicLibrary } from './library.ts';

/** The patterns that have subscribers on any server, read again if they have changed. */
export class SharedPatterns {
  readonly #topics: Pick<TopicLibrary, 'patterns'>;
  #version = '';
  #tree = new PatternTree<true>();

  constructor(topics: Pick<TopicLibrary, 'patterns'>) {
    this.#topics = topics;
  }

  /** Finds out whether there is a subscription to a pattern that matches each topic. */
  async covering(topics: readonly Topic[]): Promise<readonly boolean[]> {
    const { version, patterns } = await this.#topics.patterns(this.#version);
    if (version !== this.#version) {
      this.#version = version;
      this.#tree = new PatternTree();
      for (const pattern of patterns) this.#tree.set(pattern, true);
    }
    return topics.map((topic) => this.#tree.matching(topic).length > 0);
  }
}
