import type { Pattern, Topic } from '@fanfare/protocol';

interface Node<T> {
  readonly children: Map<string, Node<T>>;
  /** Of the pattern that ends here. */
  value?: T;
}

function makeNode<T>(): Node<T> {
  return { children: new Map() };
}

/**
 * Patterns by their segments. Finding those that match a topic takes time in proportion to the patterns that begin
 * like it, and not to how many there are.
 */
export class PatternTree<T> {
  readonly #root: Node<T> = makeNode();

  get(pattern: Pattern): T | undefined {
    return this.#path(pattern)?.at(-1)?.value;
  }

  set(pattern: Pattern, value: T): void {
    let node = this.#root;
    for (const segment of pattern.split('/')) {
      let child = node.children.get(segment);
      if (!child) node.children.set(segment, (child = makeNode()));
      node = child;
    }
    node.value = value;
  }

  delete(pattern: Pattern): void {
    const segments = pattern.split('/');
    const path = this.#path(pattern);
    if (!path) return;
    delete path.at(-1)?.value;
    for (let at = path.length - 1; at > 0; at--) {
      const node = path[at];
      if (!node || node.children.size > 0 || 'value' in node) return;
      path[at - 1]?.children.delete(segments[at - 1] as string);
    }
  }

  matching(topic: Topic): readonly T[] {
    if (this.#root.children.size === 0) return [];
    const found: T[] = [];
    let nodes: readonly Node<T>[] = [this.#root];
    const take = (node: Node<T> | undefined): void => {
      if (node?.value !== undefined) found.push(node.value);
    };
    for (const segment of topic.split('/')) {
      const next: Node<T>[] = [];
      for (const { children } of nodes) {
        take(children.get('**'));
        const [same, any] = [children.get(segment), children.get('*')];
        if (same) next.push(same);
        if (any) next.push(any);
      }
      if (next.length === 0) return found;
      nodes = next;
    }
    for (const node of nodes) {
      take(node);
      // `**` stands for no segment too.
      take(node.children.get('**'));
    }
    return found;
  }

  /** The nodes from the root to a pattern's own. */
  #path(pattern: Pattern): readonly Node<T>[] | undefined {
    const path = [this.#root];
    for (const segment of pattern.split('/')) {
      const child = path.at(-1)?.children.get(segment);
      if (!child) return undefined;
      path.push(child);
    }
    return path;
  }
}
