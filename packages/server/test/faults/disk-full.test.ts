import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sleep, until } from '../../../../test/waits.ts';
import { temporaryDirectory, withoutLife } from '../../../cli/test/harness.ts';
import type { Outcome } from './history.ts';
import { declareTopics, publishHttp, readHistory } from './http.ts';
import { expectNoFaults, settle } from './load.ts';
import { startServerProcess } from './server-process.ts';
import { Subscriber } from './subscriber.ts';
import { World } from './world.ts';

const diskBytes = 16 * 1024 * 1024;
const leftBytes = 1024 * 1024;

/** How long a publish may still be refused after there is space again. */
const recoveryMs = 10_000;

const missing = whyNoDisk();

describe.skipIf(missing !== undefined)(
  `a disk that is full${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    it('on a full disk publishes are refused, none is acknowledged, and reading continues; publishing resumes after there is space', async () => {
      const disk = smallDisk();
      const { server, url } = await startServerProcess({ data: join(disk, 'data'), port: 0 });
      const world = new World(['news', 'orders']);
      await declareTopics(url, world.topics);
      const live = new Subscriber(world, 'live', url, [{ interest: '**' }], 'websocket');
      onTestFinished(() => void live.client.close());
      await live.subscribed();
      const publisher = new Filler(world, url);
      for (let number = 0; number < 20; number++)
        expect(await publisher.publish(100)).toMatchObject({ kind: 'ok' });

      const filler = join(disk, 'filler');
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(filler, new Uint8Array(Math.max(0, bavail * bsize - leftBytes)));
      for (let refused = 0; refused < 10;) {
        const outcome = await publisher.publish(20_000);
        if (outcome.kind === 'fail') {
          expect(outcome.code).toBe('storage_unavailable');
          refused++;
        } else expect(outcome.kind).toBe('ok');
      }
      expect([503, 507]).toContain(await statusOfPublish(url));

      const late = new Subscriber(world, 'late', url, [{ interest: 'news', from: 'earliest' }], 'polling');
      onTestFinished(() => void late.client.close());
      await late.subscribed();
      const acknowledged = world.publishes.filter(({ outcome }) => outcome.kind === 'ok');
      await Promise.all([late, live].map(async (each) => each.gets(acknowledged)));
      expect((await readHistory(url)).length).toBe(acknowledged.length);

      rmSync(filler);
      const isStored = async (): Promise<boolean> => (await publisher.publish(20_000)).kind === 'ok';
      // Publishers are not notified when there is space again, so they retry now and then.
      await until('messages can be stored again', isStored, { step: () => sleep(50), ms: recoveryMs });
      for (let number = 0; number < 20; number++)
        expect(await publisher.publish(1000)).toMatchObject({ kind: 'ok' });
      await settle(world, url, [live, late]);
      expect([live, late].flatMap(({ refusals }) => refusals)).toEqual([]);
      expectNoFaults(world.history(await readHistory(url)), { acknowledged: 41, delivered: 60 });
      // The log has one line for each change of state, not a stack for each publish.
      await server.program.says('Messages can be stored again.', 'stderr');
      const lines = withoutLife(server.program.stderr).trim().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
        'Messages cannot be stored: publishes are refused.',
        'There is no space left to store anything.',
        'Messages can be stored again.',
      ]);
    });
  },
);

class Filler {
  readonly #world: World;
  readonly #url: string;
  #number = 0;

  constructor(world: World, url: string) {
    this.#world = world;
    this.#url = url;
  }

  async publish(bytes: number): Promise<Outcome> {
    const number = this.#number++;
    const topic = number % 2 === 0 ? 'news' : 'orders';
    const message = { number, padding: 'x'.repeat(bytes) };
    const id = `filler ${number}`;
    const answered = this.#world.send({ publisher: 'filler', topic, content: JSON.stringify(message), id });
    const [outcome = { kind: 'unknown' }] = await publishHttp(this.#url, { topic, message, id });
    answered(outcome);
    return outcome;
  }
}

async function statusOfPublish(url: string): Promise<number> {
  const response = await fetch(`${url}/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ topic: 'news', message: 'x'.repeat(20_000), id: 'never' }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** The reason why the test cannot mount a disk of its own. */
function whyNoDisk(): string | undefined {
  if (process.platform !== 'linux') return 'tmpfs is for Linux';
  if (process.getuid?.() !== 0) return 'only root can mount a tmpfs';
  const probe = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', '/mnt']);
  return probe.status === 0 ? undefined : 'a tmpfs cannot be mounted here';
}

function smallDisk(): string {
  const directory = temporaryDirectory();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', directory]);
  if (mounted.status !== 0) throw new Error(String(mounted.stderr));
  onTestFinished(() => void spawnSync('umount', ['--lazy', directory]));
  return directory;
}
