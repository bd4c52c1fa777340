import type { Pattern, Topic } from '@fanfare/protocol';

interface Node<T> {
  /** The segments between the parent and this node: at least one, except for the root. */
  segments: readonly string[];
  /** The children, by their first segment. */
  children: Map<string, Node<T>>;
  /** The value of the pattern that ends here. */
  value?: T;
}

/**
 * A radix tree of patterns. A node has several segments if nothing branches off between them. A search for
 * the patterns that match a topic looks only at patterns that begin like the topic.
 */
export class PatternTree<T> {
  readonly #root: Node<T> = { segments: [], children: new Map() };

  get(pattern: Pattern): T | undefined {
    return this.#path(pattern)?.at(-1)?.value;
  }

  set(pattern: Pattern, value: T): void {
    let node = this.#root;
    for (let rest: readonly string[] = pattern.split('/'); rest.length > 0;) {
      const child = node.children.get(rest[0] as string);
      if (!child) {
        node.children.set(rest[0] as string, { segments: rest, children: new Map(), value });
        return;
      }
      const shared = sharedLength(child.segments, rest);
      if (shared < child.segments.length) split(child, shared);
      node = child;
      rest = rest.slice(shared);
    }
    node.value = value;
  }

  delete(pattern: Pattern): void {
    const path = this.#path(pattern);
    const [node, above] = [path?.at(-1), path?.at(-2)];
    if (!node || !above) return;
    delete node.value;
    if (node.children.size === 0) above.children.delete(node.segments[0] as string);
    for (const one of [node, above]) if (one !== this.#root) join(one);
  }

  /** The values of all patterns, in no order. */
  *values(): Generator<T, void, undefined> {
    const nodes = [this.#root];
    for (let node = nodes.pop(); node; node = nodes.pop()) {
      if (node.value !== undefined) yield node.value;
      nodes.push(...node.children.values());
    }
  }

  matching(topic: Topic): readonly T[] {
    if (this.#root.children.size === 0) return [];
    const found: T[] = [];
    const segments = topic.split('/');
    /** @param had - the number of the topic's segments on the way to the node, including its own */
    const descend = ({ children, value }: Node<T>, had: number): void => {
      const segment = segments[had];
      // `**` also matches zero segments. It is always the last segment of its pattern.
      const open = children.get('**')?.value;
      if (open !== undefined) found.push(open);
      if (segment === undefined) {
        if (value !== undefined) found.push(value);
        return;
      }
      const [same, any] = [children.get(segment), children.get('*')];
      if (same) follow(same, had);
      if (any) follow(any, had);
    };
    const follow = (node: Node<T>, had: number): void => {
      const { segments: wanted, children, value } = node;
      for (let at = 1; at < wanted.length; at++) {
        const segment = wanted[at];
        if (segment === '**') {
          if (had + at <= segments.length && value !== undefined) found.push(value);
          return;
        }
        const own = segments[had + at];
        if (own === undefined || (segment !== '*' && segment !== own)) return;
      }
      if (children.size > 0 || had + wanted.length === segments.length) descend(node, had + wanted.length);
    };
    descend(this.#root, 0);
    return found;
  }

  /** The nodes from the root to the node of a pattern. */
  #path(pattern: Pattern): readonly Node<T>[] | undefined {
    const path = [this.#root];
    for (let rest: readonly string[] = pattern.split('/'); rest.length > 0;) {
      const child = path.at(-1)?.children.get(rest[0] as string);
      if (!child || sharedLength(child.segments, rest) < child.segments.length) return undefined;
      path.push(child);
      rest = rest.slice(child.segments.length);
    }
    return path;
  }
}

function sharedLength(some: readonly string[], others: readonly string[]): number {
  let shared = 0;
  while (shared < some.length && shared < others.length && some[shared] === others[shared]) shared++;
  return shared;
}

/** Splits a node: its first segments stay, and a new child gets the others. */
function split<T>(node: Node<T>, length: number): void {
  const { segments, ...rest } = node;
  const below: Node<T> = { ...rest, segments: segments.slice(length) };
  node.segments = segments.slice(0, length);
  node.children = new Map([[below.segments[0] as string, below]]);
  delete node.value;
}

/** Merges a node with its only child, if no pattern ends at the node. */
function join<T>(node: Node<T>): void {
  const [below, another] = node.children.values();
  if ('value' in node || !below || another) return;
  node.segments = [...node.segments, ...below.segments];
  node.children = below.children;
  if ('value' in below) node.value = below.value;
}
