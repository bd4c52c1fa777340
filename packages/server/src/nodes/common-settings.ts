import { createHash } from 'node:crypto';
import type { Logger } from '../observability/logger.ts';

const differs = 'The rules or limits of this node differ from those of other nodes.';

/**
 * Compares the settings that all nodes should have in common. With different ones, the rule of a message
 * depends on the node that it is published on.
 */
export class CommonSettings {
  /** A digest of this node's settings. */
  digest: string;
  readonly #logger: Logger;
  #differs = false;

  /** @param settings - JSON values, and numbers that can be infinite */
  constructor(settings: object, logger: Logger) {
    this.digest = digestOf(settings);
    this.#logger = logger;
  }

  /** The settings of this node have changed. The other nodes learn it with the next heartbeat. */
  change(settings: object): void {
    this.digest = digestOf(settings);
  }

  /** Says in words that this node is the odd one, or one of two equal parts. */
  get warning(): string | undefined {
    return this.#differs ? differs : undefined;
  }

  /** Compares with all living nodes, this one included. @param digests - of the nodes, by their ids */
  note(digests: ReadonlyMap<string, string>): void {
    const counts = new Map<string, number>();
    for (const digest of digests.values()) counts.set(digest, (counts.get(digest) ?? 0) + 1);
    const same = counts.get(this.digest) ?? 1;
    counts.delete(this.digest);
    const isOdd = Math.max(0, ...counts.values()) >= same;
    if (isOdd && !this.#differs)
      this.#logger.warn({}, `${differs} Give all nodes the same rules and limits.`);
    this.#differs = isOdd;
  }
}

function digestOf(settings: object): string {
  const text = JSON.stringify(settings, (_key, value: unknown) => (value === Infinity ? 'Infinity' : value));
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
