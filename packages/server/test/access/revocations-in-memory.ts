import type { Revocation, RevocationStore } from '../../src/log/topic-log.ts';

/** Keeps revocations for a test, or fails to keep them. */
export class RevocationsInMemory implements RevocationStore {
  revocations: readonly Revocation[] = [];
  trustedTime = 0;
  failure: Error | undefined;
  /** Tells the server that others have changed the revocations. */
  tell: (revocations: readonly Revocation[]) => void = () => {};

  async keepRevocation(revocation: Revocation, ended: readonly string[]): Promise<void> {
    if (this.failure) throw this.failure;
    const rest = this.revocations.filter(({ subject }) => ![...ended, revocation.subject].includes(subject));
    this.revocations = [...rest, revocation];
  }

  onRevocations(listener: (revocations: readonly Revocation[]) => void): void {
    this.tell = listener;
  }
}
