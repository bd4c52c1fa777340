import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FanfareError } from '@fanfare/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import { Access } from '../../src/access/access.ts';
import { parseClaims } from '../../src/access/claims.ts';
import { openVerifier } from '../../src/access/verifier-factory.ts';
import { LiveIdentities } from '../../src/access/live-identities.ts';
import { Revocations } from '../../src/access/revocations.ts';
import { defaultRule } from '../../src/config/rules.ts';
import { SingleNode } from '../../src/nodes/cluster.ts';
import { Rules } from '../../src/rules/rule.ts';
import { exportStore, importStore, openStore } from '../../src/store-tools/index.ts';
import { anything } from '../message-path/fake-fan-out.ts';
import { startServerProcess, terminate } from '../faults/server-process.ts';
import { connectClient, startServer } from '../harness.ts';
import { RevocationsInMemory } from './revocations-in-memory.ts';
import { bearer, noKeys, secret, tokenFor } from './tokens.ts';

const admin = await bearer({ sub: 'root', admin: true });

async function statusFor(url: string, authorization: string): Promise<number> {
  return (await fetch(`${url}/topics`, { headers: { authorization, connection: 'close' } })).status;
}

async function revoke(url: string, subject: string): Promise<Response> {
  return fetch(`${url}/revocations/${encodeURIComponent(subject)}`, {
    method: 'PUT',
    headers: { ...admin, connection: 'close' },
  });
}

describe('a revocation', () => {
  it('a revocation survives a crash, a restart, and an export to another directory', async () => {
    const directory = temporaryDirectory();
    const data = join(directory, 'data');
    const keyFile = join(directory, 'key');
    writeFileSync(keyFile, secret, { mode: 0o600 });
    const claims = { sub: 'a/b ö', subscribe: ['**'] };
    const { authorization: old } = await bearer(claims);
    // The clock of the issuer is ahead.
    const { authorization: early } = await bearer({ ...claims, iat: 50 });
    const first = await startServerProcess({ data, port: 0, flags: ['--key-file', keyFile] });
    expect([await statusFor(first.url, old), await statusFor(first.url, early)]).toEqual([200, 200]);
    expect((await revoke(first.url, claims.sub)).status).toBe(200);
    await first.server.kill();

    const second = await startServerProcess({ data, port: 0, flags: ['--key-file', keyFile] });
    const statuses = [old, early, (await bearer({ ...claims, iat: 40 })).authorization, admin.authorization];
    const expectStatuses = async (url: string): Promise<void> =>
      expect(await Promise.all(statuses.map((token) => statusFor(url, token)))).toEqual([401, 401, 200, 200]);
    await expectStatuses(second.url);
    const token = old.replace('Bearer ', '');
    await expect(connectClient(second.url, 'websocket', { auth: { token } })).rejects.toThrow('revoked');
    await terminate(second.server);

    const store = await openStore(data);
    let lines = '';
    const onDamage = (sentence: string): void => expect.fail(sentence);
    await exportStore(store, { onDamage, write: async (some) => void (lines += some) });
    await store.close();
    const copy = join(directory, 'copy');
    const input = (async function* () {
      yield lines.trimEnd().split('\n');
    })();
    await importStore(copy, { lines: input, now: Date.now });
    const { url } = await startServer({ memory: false, data: copy, key: secret });
    await expectStatuses(url);
  });

  it('a revocation takes effect at once even when storing it fails, and the failure is reported', async () => {
    const store = new RevocationsInMemory();
    const { access, revocations } = accessWith(store);
    const rights = await access.authenticate(await tokenFor({ sub: 'root', admin: true }));
    const token = await tokenFor({ sub: 'bob', iat: -5 });
    const ended: string[] = [];
    access.trackIdentity(await access.authenticate(token), ({ code }) => ended.push(code));
    store.failure = new Error('no space left');
    await expect(revocations.revoke(rights, 'bob')).rejects.toMatchObject({
      code: 'storage_unavailable',
      message: expect.stringContaining('The subject is revoked, but this could not be stored') as string,
    });
    expect(ended).toEqual(['not_authenticated']);
    await expect(access.authenticate(token)).rejects.toThrow('revoked');
    store.failure = undefined;
    await revocations.revoke(rights, 'bob');
    expect(store.revocations).toMatchObject([{ subject: 'bob' }]);
  });

  it('a revocation is kept until the longest token that it can concern has expired by the trusted clock', async () => {
    const day = 86_400_000;
    const store = new RevocationsInMemory();
    let now = 1_800_000_000_000;
    const revocations = revocationsIn(store, () => now, day);
    const begun = now;
    for (let at = 0; at < 10_000; at++) await revocations.revoke(anything, `subject ${at}`);
    const revokeMore = async (): Promise<unknown> =>
      revocations.revoke(anything, 'one more').catch((error: FanfareError) => error.message);
    expect(await revokeMore()).toMatch(/Limit of 10000 revoked subjects .*`tokenLifetimeMsMax`/);
    // A clock that has jumped forward may be wrong.
    now = begun + 1_000 * day;
    store.trustedTime = begun + day + 59_999;
    expect(await revokeMore()).toMatch(/Limit/);
    store.trustedTime++;
    expect(await revokeMore()).toMatchObject({ subject: 'one more', time: now });
    expect(store.revocations).toEqual([{ subject: 'one more', time: now, ahead: [] }]);
  });

  it('a revocation is kept for ever when the lifetime of tokens is not limited', async () => {
    const store = new RevocationsInMemory();
    const revocations = revocationsIn(store, () => 1);
    await revocations.revoke(anything, 'ann');
    store.trustedTime = 8e15;
    await revocations.revoke(anything, 'bob');
    expect(store.revocations.map(({ subject }) => subject)).toEqual(['ann', 'bob']);
  });

  it('a server that was not told of a revocation ends the connections of the subject when it learns of it', async () => {
    const store = new RevocationsInMemory();
    const { access } = accessWith(store);
    const ended: string[] = [];
    const [before, after, other] = await Promise.all([
      tokenFor({ sub: 'bob', iat: -10 }),
      tokenFor({ sub: 'bob', iat: -2 }),
      tokenFor({ sub: 'ann', iat: -10 }),
    ]);
    for (const token of [before, after, other]) {
      const rights = await access.authenticate(token);
      access.trackIdentity(rights, ({ code }) => ended.push(`${rights.identity.subject} ${code}`));
    }
    const told = [{ subject: 'bob', time: Date.now() - 5_000, ahead: [] }];
    store.tell(told);
    store.tell(told);
    expect(ended).toEqual(['bob not_authenticated']);
    await expect(access.authenticate(before)).rejects.toThrow('revoked');
    await access.authenticate(after);
    await access.authenticate(other);
  });
});

describe('with tokenLifetimeMsMax', () => {
  it('with `tokenLifetimeMsMax`, a token must have an `iat` and a limited lifetime', () => {
    const now = 1_800_000_000_000;
    const seconds = now / 1_000;
    const verdict = (claims: object): unknown => {
      try {
        return parseClaims({ sub: 'ann', ...claims }, now, 60_000).subject;
      } catch (error) {
        return (error as FanfareError).message;
      }
    };
    expect(verdict({ iat: seconds - 10, exp: seconds + 50 })).toBe('ann');
    expect(verdict({ iat: seconds - 10, exp: seconds + 51 })).toMatch(
      /lasts longer than 60000 ms .*`tokenLifetimeMsMax`/,
    );
    expect(verdict({ exp: seconds + 1 })).toMatch(/has no iat.*`tokenLifetimeMsMax`/);
  });

  it('with `tokenLifetimeMsMax`, the server refuses tokens that last longer, over HTTP and Socket.IO', async () => {
    const { url } = await startServer({ key: secret, tokenLifetimeMsMax: 600_000 });
    expect(await statusFor(url, (await bearer({ exp: 600 })).authorization)).toBe(200);
    expect(await statusFor(url, (await bearer({ exp: 601 })).authorization)).toBe(401);
    const auth = { token: await tokenFor({ exp: 601 }) };
    await expect(connectClient(url, 'websocket', { auth })).rejects.toThrow('lasts longer than 600000 ms');
  });
});

/** Revocations without live connections. */
function revocationsIn(
  store: RevocationsInMemory,
  now: () => number,
  tokenLifetimeMsMax?: number,
): Revocations {
  return new Revocations({
    store,
    cluster: new SingleNode(),
    liveIdentities: new LiveIdentities(now),
    tokenLifetimeMsMax,
    now,
  });
}

function accessWith(store: RevocationsInMemory): {
  readonly access: Access;
  readonly revocations: Revocations;
} {
  const now = Date.now;
  const ignore = (): void => {};
  const verifier = openVerifier(
    { ...noKeys, key: secret },
    { now, monotonicMs: now, onFailure: ignore, onWarning: ignore },
  );
  const liveIdentities = new LiveIdentities(now);
  const revocations = new Revocations({
    store,
    cluster: new SingleNode(),
    liveIdentities,
    tokenLifetimeMsMax: undefined,
    now,
  });
  const rules = new Rules([], defaultRule);
  const access = new Access({ verifier, rules, revocations, liveIdentities, now });
  onTestFinished(() => access.close());
  return { access, revocations };
}
