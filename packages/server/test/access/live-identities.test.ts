import { expect, it, vi, onTestFinished } from 'vitest';
import { LiveIdentities } from '../../src/access/live-identities.ts';
import type { Identity } from '../../src/access/identity.ts';

function identityOf(subject: string, endsAt: number): Identity {
  return { subject, issuedAt: 0, endsAt, publish: [], subscribe: [], isAdmin: false };
}

it('a connection that fails to end does not keep others of its subject alive', () => {
  const identities = new LiveIdentities(Date.now);
  onTestFinished(() => identities.close());
  const ended: string[] = [];
  const endsAt = Date.now() + 60_000;
  identities.track(identityOf('one', endsAt), () => {
    throw new Error('a listener of the app failed');
  });
  identities.track(identityOf('one', endsAt), ({ code }) => ended.push(code));
  expect(() => identities.revoke('one')).toThrow('a listener of the app failed');
  expect(ended).toEqual(['not_authenticated']);
  expect(identities.revoke('one')).toBe(0);
});

it('a connection that fails to end does not stop others from ending with their tokens', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const identities = new LiveIdentities(Date.now);
  onTestFinished(() => identities.close());
  const now = Date.now();
  const ended: string[] = [];
  identities.track(identityOf('fails', now + 1_000), () => {
    throw new Error('a listener of the app failed');
  });
  for (const [subject, endsAt] of [
    ['same', now + 1_000],
    ['later', now + 5_000],
  ] as const)
    identities.track(identityOf(subject, endsAt), ({ code }) => ended.push(`${subject} ${code}`));
  expect(() => vi.advanceTimersByTime(1_000)).toThrow('a listener of the app failed');
  vi.advanceTimersByTime(1);
  expect(ended).toEqual(['same token_expired']);
  vi.advanceTimersByTime(5_000);
  expect(ended).toEqual(['same token_expired', 'later token_expired']);
});
