import type { Revocation, RevocationStore } from '../../src/log/topic-log.ts';

/** Keeps revocations for a test, or fails to keep them. */
export class RevocationsInMemory implements RevocationStore {
  revocations: readonly Revocation[] = [];
  trustedTime = 0;
  failure: Error | undefined;

  keepRevocations(revocations: readonly Revocation[]): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    this.revocations = revocations;
    return Promise.resolve();
  }
}
