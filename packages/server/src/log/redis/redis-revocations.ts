import type { Revocation } from '../topic-log.ts';
import type { StoredRevocations, TopicLibrary } from './library.ts';

/** The revocations in the log, and a copy of them in memory. */
export class RedisRevocations {
  readonly #topics: Pick<TopicLibrary, 'revocations' | 'revoke'>;
  #stored: StoredRevocations;
  #listener: (revocations: readonly Revocation[]) => void = () => {};

  constructor(topics: Pick<TopicLibrary, 'revocations' | 'revoke'>, stored: StoredRevocations) {
    this.#topics = topics;
    this.#stored = stored;
  }

  get all(): readonly Revocation[] {
    return this.#stored.revocations;
  }

  /** See RevocationStore.keepRevocation. */
  async keep(revocation: Revocation, ended: readonly string[]): Promise<void> {
    await this.#topics.revoke(revocation, ended);
    const isKept = ({ subject }: Revocation): boolean =>
      subject !== revocation.subject && !ended.includes(subject);
    this.#stored = { ...this.#stored, revocations: [...this.#stored.revocations.filter(isKept), revocation] };
  }

  listen(listener: (revocations: readonly Revocation[]) => void): void {
    this.#listener = listener;
  }

  /** Reads the revocations again if the log has another version of them. */
  async check(version: number): Promise<void> {
    if (version === this.#stored.version) return;
    this.#stored = await this.#topics.revocations();
    this.#listener(this.#stored.revocations);
  }
}
